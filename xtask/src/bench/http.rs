//! Clients of HTTP: wrk, which keeps connections busy, and a single question.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use trapless_tests::deadline;

/// What wrk measured.
#[derive(Debug, PartialEq)]
pub struct Load {
    pub requests: u64,
    pub time: Duration,
    /// Connections that failed, and reads and writes that did.
    pub errors: u64,
    /// Half of the answers took no longer than this.
    pub half: Duration,
    /// All but one in a hundred took no longer than this.
    pub most: Duration,
}

/// Asks for `path` on so many connections at once for so many seconds, each asking again when it has its answer.
///
/// # Errors
/// wrk cannot be run, or got no answer at all.
pub fn load(address: SocketAddr, path: &str, connections: u32, seconds: u32) -> Result<Load> {
    // wrk tries the address before it begins, for as long as Linux tries.
    let mut command = Command::new("timeout");
    command.args([&(seconds + 60).to_string(), "wrk", "--latency", "-t", "1", "--timeout", "10s"]);
    command.args(["-c", &connections.to_string(), "-d", &format!("{seconds}s")]).arg(format!("http://{address}{path}"));
    let output = command.output().context("cannot run wrk (Debian: apt-get install wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let load = wrk(&text).with_context(|| format!("wrk printed {text:?}"))?;
    let errors = load.errors;
    ensure!(
        load.requests > 0,
        "wrk got no answer within {seconds} s on {connections} connections, and met {errors} errors"
    );
    ensure!(output.status.success(), "wrk failed: {text}");
    Ok(load)
}

/// Reads `123 requests in 2.00s, 1.2MB read`, `50%   1.20ms` and `99% ...`, and
/// `Socket errors: connect 1, read 0, write 0, timeout 0` where there is one.
fn wrk(text: &str) -> Option<Load> {
    let lines = || text.lines().map(str::trim);
    let (requests, rest) = lines().find_map(|line| line.split_once(" requests in "))?;
    let errors = lines().find_map(|line| line.strip_prefix("Socket errors: "));
    let count = |part: &str| part.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok());
    let within = |share: &str| time(lines().find_map(|line| line.strip_prefix(share))?.trim());
    Some(Load {
        requests: requests.parse().ok()?,
        time: time(rest.split_once(',')?.0)?,
        errors: errors.map_or(Some(0), |errors| errors.split(", ").map(count).sum())?,
        half: within("50%")?,
        most: within("99%")?,
    })
}

/// `12.30us`, `1.20ms`, `2.00s`, `1.50m` or `1.00h`.
fn time(text: &str) -> Option<Duration> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    units.iter().find_map(|(unit, seconds)| {
        let value = text.strip_suffix(unit)?.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(value * seconds).ok()
    })
}

/// The answer to one question, on a connection of its own.
///
/// # Errors
/// There is no whole answer.
pub fn get(address: SocketAddr, name: &str) -> Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(format!("GET /{name} HTTP/1.1\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(body) = body(&String::from_utf8_lossy(&answer)) {
            return Ok(body.to_owned());
        }
        match stream.read(&mut buffer).with_context(|| format!("no answer to /{name}"))? {
            0 => bail!("the answer to /{name} ends early"),
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The body, when all of it is there.
fn body(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    (body.len() >= length.parse().ok()?).then_some(body)
}

/// Opens a connection that sends at once, and on which a missing answer is an error.
///
/// # Errors
/// Nobody listens there.
pub fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&address, deadline()).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(deadline()))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 2s test @ http://127.0.0.1:1/\n  1 threads and 32 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     6.84ms    2.01ms  22.81ms   72.32%\n\
        \u{20} Latency Distribution\n     50%  930.00us\n     75%    7.57ms\n     90%    9.20ms\n     99%   14.39ms\n\
        \u{20} 9345 requests in 2.01s, 830.47KB read\n  Socket errors: connect 1, read 2, write 0, timeout 3\n\
        Requests/sec:   4649.25\n";

    #[test]
    fn the_output_of_wrk_is_read() {
        let expected = Load {
            requests: 9345,
            time: Duration::from_millis(2010),
            errors: 6,
            half: Duration::from_micros(930),
            most: Duration::from_micros(14_390),
        };
        assert_eq!(wrk(OUTPUT).unwrap(), expected);
        assert_eq!(wrk(&OUTPUT.replace("2.01s", "1.50m")).unwrap().time, Duration::from_secs(90));
        assert_eq!(wrk(&OUTPUT.replace("2.01s", "999.00ms")).unwrap().time, Duration::from_millis(999));
        assert_eq!(wrk("unable to connect to 127.0.0.1:1 Connection refused\n"), None);
    }

    #[test]
    fn an_answer_is_complete_when_its_length_is_there() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(body(&format!("{head}read=1\n")), Some("read=1\n"));
        assert_eq!(body(&format!("{head}read=1")), None);
        assert_eq!(body("HTTP/1.1 200"), None);
    }
}
