//! Builds OTP and the test suites of the applications named as arguments, and prints where they are.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let applications: Vec<String> = std::env::args().skip(1).collect();
    let applications: Vec<&str> = applications.iter().map(String::as_str).collect();
    let erts = erts_recipe::build(erts_recipe::Flavor::from_environment()?, &sources::Console)?;
    let folder = erts_recipe::release_tests(&erts, &applications, &sources::Console)?;
    println!("erl: {}\nsuites: {}", erts.otp.join("bin/erl").display(), folder.display());
    Ok(())
}
