//! What erlexec does, word by word and in all combinations.

use super::*;
use proptest::prelude::*;

/// Sorts a line of blank-separated words and gives both parts back the same way.
fn sorted(line: &str) -> (String, String) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let result = ErlArgs::parse(&words).unwrap();
    (result.emulator.join(" "), result.init.join(" "))
}

fn refused(line: &str) -> ErlArgsError {
    let words: Vec<&str> = line.split_whitespace().collect();
    ErlArgs::parse(&words).unwrap_err()
}

/// Each row was also given to OTP 27's own `erl -emu_args_exit`, which prints the same.
#[test]
fn sorts_as_erlexec_does() {
    let cases = [
        ("", "", "--"),
        ("-noshell -eval halt().", "", "-noshell -eval halt(). --"),
        ("+S 4:4 -noshell +A 5", "-S 4:4 -A 5", "-noshell --"),
        ("-s app +P 1000 start", "-P 1000", "-s app start --"),
        ("+SP 50 +SDcpu 2:2 +SDPcpu 50:50 +SDio 4", "-SP 50 -SDcpu 2:2 -SDPcpu 50:50 -SDio 4", "--"),
        ("+Bc +B i +B -x +B", "-Bc -B i -B -B", "-x --"),
        ("+c true +c +c no", "-c true -c -c", "no --"),
        ("+MBas aobf +MIscs 64 +Mea min +Muycs 5 +MBxx y", "-MBas aobf -MIscs 64 -Mea min -Muycs 5 -MBxx", "y --"),
        ("+hms 233 +h 987 +hzz y", "-hms 233 -h 987 -hzz", "y --"),
        ("+sbwt none +swt low +sbwtdcpu none +sbwtdio none", "-sbwt none -swt low -sbwtdcpu none -sbwtdio none", "--"),
        (
            "+zdbbl 1024 +zx y +rg 64 +JPperf true +JMsingle true",
            "-zdbbl 1024 -zx -rg 64 -JPperf true -JMsingle true",
            "y --",
        ),
        ("+pc unicode +pad true +px y", "-pc unicode -pad true -px", "y --"),
        ("+IOt 2 +IOPp 50 +IOs true +IOtx y", "-IOt 2 -IOPp 50 -IOs true -IOtx", "y --"),
        ("+d +l +fnu +Ktrue +K true ++x", "-d -l -fnu -Ktrue -K true", "++x --"),
        ("-noinput -version", "-V", "-noshell -noinput --"),
        ("-sname a -name b@c", "", "-sname a -name b@c --"),
        ("-no_epmd -proto_dist x_tcp -start_epmd false", "", "-no_epmd -proto_dist x_tcp -start_epmd false --"),
        ("a -extra +S 4 -S -- b", "", "a -- -- -extra +S 4 -S -- b"),
        ("a -S mod -- b +c", "", "a -- -- -noshell -S mod \\-- b +c"),
        ("a -extra", "", "a -- --"),
        ("-a -- -b", "", "-a -- -b --"),
        ("-emu_flavor emu -smp auto", "", "-emu_flavor emu -smp auto --"),
        ("-compile m", "-B", "-noshell -noinput -s c lc_batch m --"),
    ];
    for (line, emulator, init) in cases {
        assert_eq!(sorted(line), (emulator.into(), init.into()), "{line}");
    }
}

#[test]
fn make_takes_the_whole_line() {
    let (emulator, init) = sorted("-a -make b +S 4");
    assert_eq!(emulator, "-B");
    assert_eq!(init, "-a -noshell -noinput -s make all_or_nothing -s erlang halt");
}

#[test]
fn words_with_blanks_stay_whole() {
    let result = ErlArgs::parse(&["-eval", "io:format(\"a b\"), halt().", ""]).unwrap();
    assert_eq!(result.init, ["-eval", "io:format(\"a b\"), halt().", "", "--"]);
}

#[test]
fn env_goes_to_the_environment() {
    let result = ErlArgs::parse(&["-env", "A", "b c", "-x", "-env", "B", ""]).unwrap();
    assert_eq!(result.environment, [("A".into(), "b c".into()), ("B".into(), String::new())]);
    assert_eq!(result.init, ["-x", "--"]);
}

#[test]
fn refuses_what_erlexec_refuses() {
    for line in ["+S", "+S --", "-x +sbwt", "+J", "-name", "-env A", "-env", "-epmd", "-configfd", "+IOt"] {
        assert!(matches!(refused(line), ErlArgsError::MissingValue(_)), "{line}");
    }
    for line in ["+SDx 1", "+Bx", "+IOx 1", "+I"] {
        assert!(matches!(refused(line), ErlArgsError::Unknown(_)), "{line}");
    }
    for line in ["-smp disable", "-smpdisable", "-no_epmd", "-start_epmd maybe"] {
        assert!(matches!(refused(line), ErlArgsError::Conflict(_)), "{line}");
    }
    for line in ["-detached", "-man erl", "-args_file x"] {
        assert!(matches!(refused(line), ErlArgsError::Unsupported(_)), "{line}");
    }
}

#[test]
fn builds_the_whole_argv() {
    let arguments = ErlArgs::parse(&["+S", "2", "-noshell"]).unwrap();
    let argv = arguments.argv(
        "beam.smp",
        vec!["-sbwt".into(), "none".into()],
        &["--", "-root", "/otp", "--"],
        &["-boot", "b"],
    );
    assert_eq!(argv.join(" "), "beam.smp -sbwt none -S 2 -- -root /otp -- -boot b -noshell --");
}

/// A few words that belong together: what is given, and what becomes of them.
#[derive(Clone, Debug, Default)]
struct Piece {
    words: Vec<String>,
    emulator: Vec<String>,
    init: Vec<String>,
    environment: Vec<(String, String)>,
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.into()).collect()
}

/// Any word that is no separator.
fn value() -> impl Strategy<Value = String> {
    "[-+a-z0-9:. ]{0,4}".prop_filter("the separator is no value", |word| word != "--")
}

fn piece() -> impl Strategy<Value = Piece> {
    let flags = proptest::sample::select(&["S", "A", "K", "sbwt", "MBas", "hms", "Jx", "zdbbl", "IOPt"][..]);
    let switches = proptest::sample::select(&["d", "fnu", "Ktrue", "Bc", "SDcpu9", "IOt9", ""][..]);
    let plain = proptest::sample::select(&["-noshell", "-eval", "x", "--", "-", "", "++S", "a b"][..]);
    prop_oneof![
        (flags, value()).prop_map(|(flag, value)| Piece {
            words: strings(&[&format!("+{flag}"), &value]),
            emulator: strings(&[&format!("-{flag}"), &value]),
            ..Piece::default()
        }),
        switches.prop_map(|flag| Piece {
            words: strings(&[&format!("+{flag}")]),
            emulator: strings(&[&format!("-{flag}")]),
            ..Piece::default()
        }),
        plain.prop_map(|word| Piece { words: strings(&[word]), init: strings(&[word]), ..Piece::default() }),
        value().prop_map(|name| Piece {
            words: strings(&["-sname", &name]),
            init: strings(&["-sname", &name]),
            ..Piece::default()
        }),
        (value(), value()).prop_map(|(name, value)| Piece {
            words: strings(&["-env", &name, &value]),
            environment: vec![(name, value)],
            ..Piece::default()
        }),
        Just(Piece { words: strings(&["-noinput"]), init: strings(&["-noshell", "-noinput"]), ..Piece::default() }),
    ]
}

proptest! {
    /// Whatever stands beside it, each flag and option goes its own way, in order.
    #[test]
    fn lines_are_sorted_piece_by_piece(
        pieces in proptest::collection::vec(piece(), 0..12),
        extra in proptest::option::of(proptest::collection::vec(value(), 0..4)),
    ) {
        let mut words: Vec<String> = pieces.iter().flat_map(|piece| piece.words.clone()).collect();
        let mut expected = ErlArgs {
            emulator: pieces.iter().flat_map(|piece| piece.emulator.clone()).collect(),
            init: pieces.iter().flat_map(|piece| piece.init.clone()).collect(),
            environment: pieces.iter().flat_map(|piece| piece.environment.clone()).collect(),
        };
        expected.init.push("--".into());
        if let Some(extra) = extra {
            words.push("-extra".into());
            words.extend(extra.clone());
            expected.init.push("--".into());
            if !extra.is_empty() {
                expected.init.push("-extra".into());
                expected.init.extend(extra);
            }
        }
        prop_assert_eq!(ErlArgs::parse(&words), Ok(expected));
    }

    /// Half a line, or one with parts of it twice or in disorder: sorted or refused, and no word of the user's vanishes from a line
    /// that is not refused, save those that mean something else here.
    #[test]
    fn any_line_is_sorted_or_refused(
        words in proptest::collection::vec(
            prop_oneof![
                value(),
                proptest::sample::select(
                    &["+S", "+B", "+c", "+SDx", "+I", "-env", "-extra", "-S", "-make", "-smp", "disable", "-name",
                      "-no_epmd", "-proto_dist", "-configfd", "0", "-epmd", "-emu_args", "--", "-man", "true"][..]
                ).prop_map(String::from),
            ],
            0..10,
        ),
    ) {
        const ELSEWHERE: [&str; 6] = ["-env", "-epmd", "-emu_args", "-extra", "-make", "--"];
        if let Ok(sorted) = ErlArgs::parse(&words) {
            let text = format!("{sorted:?}");
            for word in words.iter().take_while(|word| *word != "-make") {
                let kept = word.strip_prefix('+').unwrap_or(word);
                let gone = words.iter().any(|other| other == "-epmd");
                prop_assert!(gone || ELSEWHERE.contains(&word.as_str()) || text.contains(kept), "{} in {}", word, text);
            }
        }
    }
}

#[test]
fn the_interpreter_gets_no_flag_of_the_jit() {
    let (jit, interpreter) = (emulator_flags("jit", 1 << 30, false), emulator_flags("emu", 1 << 30, true));
    assert!(jit.iter().any(|flag| flag.starts_with("-J")));
    assert!(!interpreter.is_empty() && !interpreter.iter().any(|flag| flag.starts_with("-J")));
    assert!(jit.ends_with(&interpreter));
    assert!(emulator_flags("jit", 1 << 30, true).join(" ").contains("-JPperf map"));
}

#[test]
fn the_process_table_grows_with_memory_up_to_the_default() {
    let limit = |memory: u64| emulator_flags("jit", memory, false).pop().unwrap();
    assert_eq!(limit(64 << 20), "32768");
    assert_eq!(limit(512 << 20), "262144");
    assert_eq!(limit(64 << 30), "1048576");
}
