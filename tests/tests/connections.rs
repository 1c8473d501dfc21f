//! More connections, and more data in them, than there is memory.

use std::{net::TcpStream, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    deadline, image, load,
    machine::{ECHO_PORT, Machine},
    vm::Vm,
};

/// Connections that QEMU and this test have descriptors for on any host.
const MANY: u64 = 900;
/// Between two connects: QEMU's user network loses some of a burst on any guest.
const PAUSE: Duration = Duration::from_millis(5);

fn open(vm: &Vm, patience: Duration) -> Result<TcpStream> {
    thread::sleep(PAUSE);
    let stream = vm.connect(ECHO_PORT)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// Who comes when memory is scarce is not let in, which harms nobody who is in; when clients leave there is room again.
#[test]
fn connections_beyond_memory_are_refused() -> Result<()> {
    let vm = Vm::serve("connections-refused", &Machine { memory: 36, ..Machine::new(image()) })?;
    let mut inside = Vec::new();
    let refused = (0..MANY).any(|number| {
        let stream = open(&vm, Duration::from_secs(3));
        match stream.and_then(|stream| load::echo(&stream, &load::bytes(1000, number)).map(|()| stream)) {
            Ok(stream) => inside.push(stream),
            Err(_) => return true,
        }
        false
    });
    ensure!(refused, vm.fail(&format!("all of {MANY} connections found room")));
    // However little memory there is, some are served.
    ensure!(inside.len() >= 64, vm.fail(&format!("only {} connections found room", inside.len())));
    for (number, stream) in inside.iter().enumerate() {
        load::echo(stream, &load::bytes(1000, number as u64))
            .with_context(|| format!("connection {number} of {}", inside.len()))
            .map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    drop(inside);
    let again = (0..10).find_map(|_| {
        let stream = open(&vm, deadline() / 10).ok()?;
        load::echo(&stream, b"there is room again").ok()
    });
    again.ok_or_else(|| vm.fail("nobody is let in after all have left"))
}

/// What was once in the buffers of a connection that is idle now does not count.
#[test]
fn idle_connections_hold_no_buffers() -> Result<()> {
    let vm = Vm::serve("connections-idle", &Machine { memory: 64, ..Machine::new(image()) })?;
    let mut streams = Vec::new();
    // With all of their buffers, twice the machine's memory.
    for number in 0..400 {
        let stream = open(&vm, deadline())?;
        for part in 0..3 {
            load::echo(&stream, &load::bytes(60_000, number + part))
                .with_context(|| format!("connection {number}"))
                .map_err(|error| vm.fail(&format!("{error:#}")))?;
        }
        streams.push(stream);
    }
    for stream in &streams {
        load::echo(stream, b"still there").map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    Ok(())
}
