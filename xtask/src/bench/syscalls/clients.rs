//! Clients on the host: an echo over TCP, and wrk's HTTP requests on kept connections.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use trapless_tests::{deadline, load};

use super::{data::Samples, lines};

/// Round trips in each sample of the echo.
const ROUND_TRIPS: u64 = 50;
/// Bytes of each.
const BYTES: usize = 64;

/// 64 bytes there and back through the forwarded port, one after the other.
pub fn echo(address: SocketAddr, samples: u32) -> Result<Samples> {
    let stream = connect(address)?;
    let message = load::bytes(BYTES, 1);
    let (mut to, mut from) = (&stream, &stream);
    let mut back = [0; BYTES];
    let mut sample = || -> Result<u64> {
        let start = Instant::now();
        for _ in 0..ROUND_TRIPS {
            to.write_all(&message)?;
            from.read_exact(&mut back).context("the echo ended early")?;
            ensure!(back == message[..], "the echo differs");
        }
        Ok(u64::try_from(start.elapsed().as_nanos())?)
    };
    // The first warms up.
    sample()?;
    let ns = (0..samples).map(|_| sample()).collect::<Result<_>>()?;
    Ok(Samples { name: "tcp_echo".into(), operations: ROUND_TRIPS, ns, ticks: Vec::new() })
}

/// What wrk measured.
#[derive(Debug, PartialEq)]
pub struct Load {
    pub requests: u64,
    pub time: Duration,
    /// Connections that failed, and reads and writes that did.
    pub errors: u64,
}

impl Load {
    /// As one sample: the time that each answer took the server, whatever number of clients waits meanwhile.
    pub fn samples(&self, name: &str) -> Result<Samples> {
        let ns = vec![u64::try_from(self.time.as_nanos())?];
        Ok(Samples { name: name.to_owned(), operations: self.requests, ns, ticks: Vec::new() })
    }
}

/// Keeps `connections` busy for so many seconds, each asking again when it has its answer.
pub fn http(address: SocketAddr, connections: u32, seconds: u32) -> Result<Load> {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s"), "--timeout", "10s"]);
    let output =
        command.arg(format!("http://{address}/")).output().context("cannot run wrk (Debian: apt-get install wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let load = wrk(&text).with_context(|| format!("wrk printed {text:?}"))?;
    ensure!(output.status.success() && load.requests > 0, "wrk got no answer: {text}");
    Ok(load)
}

/// Reads `123 requests in 2.00s, 1.2MB read`, and `Socket errors: connect 1, read 0, write 0, timeout 0` where there is one.
fn wrk(text: &str) -> Option<Load> {
    let line = text.lines().find_map(|line| line.trim().split_once(" requests in "))?;
    let time = line.1.split_once(',')?.0;
    let seconds = match (time.strip_suffix("ms"), time.strip_suffix('m'), time.strip_suffix('s')) {
        (Some(ms), _, _) => ms.parse::<f64>().ok()? / 1e3,
        (_, Some(minutes), _) => minutes.parse::<f64>().ok()? * 60.0,
        (_, _, Some(seconds)) => seconds.parse::<f64>().ok()?,
        _ => return None,
    };
    let errors = text.lines().find_map(|line| line.trim().strip_prefix("Socket errors: "));
    let count = |part: &str| part.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok());
    let errors = errors.map_or(Some(0), |errors| errors.split(", ").map(count).sum())?;
    Some(Load { requests: line.0.parse().ok()?, time: Duration::from_secs_f64(seconds), errors })
}

/// System calls so far, as the image counts them. Empty where nothing counts.
pub fn calls(address: SocketAddr) -> Result<BTreeMap<String, u64>> {
    get(address, "calls")?.lines().map(lines::call).collect()
}

/// HTTP connections that the server has accepted so far, this one included.
pub fn accepted(address: SocketAddr) -> Result<u64> {
    let body = get(address, "accepted")?;
    body.trim().parse().with_context(|| format!("/accepted answers {body:?}"))
}

/// What the server says about itself.
fn get(address: SocketAddr, name: &str) -> Result<String> {
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

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(deadline()))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 2s test @ http://127.0.0.1:1/\n  1 threads and 32 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     6.84ms    2.01ms  22.81ms   72.32%\n\
        \u{20} 9345 requests in 2.01s, 830.47KB read\n  Socket errors: connect 1, read 2, write 0, timeout 3\n\
        Requests/sec:   4649.25\n";

    #[test]
    fn the_output_of_wrk_is_read() {
        let load = wrk(OUTPUT).unwrap();
        assert_eq!(load, Load { requests: 9345, time: Duration::from_millis(2010), errors: 6 });
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
