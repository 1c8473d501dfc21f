//! A network card with a pair of queues for each CPU.

use std::{io::Read, net::TcpStream, thread};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    erl, image, load,
    machine::{ECHO_PORT, Kind, Machine},
    tap::Tap,
    vm::Vm,
};

/// This host's address on a tap, and the machine's (RFC 2544); the tests run at the same time.
const ENDS: [&str; 2] = ["198.18.83.5/30", "198.18.83.6/30"];
const OTHER_ENDS: [&str; 2] = ["198.18.83.9/30", "198.18.83.10/30"];
/// Where it echoes. It tells of itself at the next.
const PORT: u16 = 7000;
/// Connections at a time.
const CLIENTS: u64 = 16;

/// Echoes on any number of connections to one port, and tells the state of the network and of the interrupts at the next.
const ECHO: &str = r#"
    Listen = fun(Port) ->
        {ok, L} = gen_tcp:listen(Port, [binary, {active, false}, {backlog, 64}, {exit_on_close, false}]),
        L
    end,
    Serve = fun Serve(L, Do) ->
        {ok, S} = gen_tcp:accept(L),
        P = spawn(fun() -> receive go -> Do(S), gen_tcp:close(S) end end),
        ok = gen_tcp:controlling_process(S, P),
        P ! go,
        Serve(L, Do)
    end,
    Tell = fun(S) ->
        [begin {ok, B} = file:read_file(F), ok = gen_tcp:send(S, B) end
            || F <- ["/proc/trapless/net", "/proc/trapless/interrupts"]]
    end,
    Echo = fun Echo(S) ->
        case gen_tcp:recv(S, 0) of
            {ok, Data} -> ok = gen_tcp:send(S, Data), Echo(S);
            {error, closed} -> ok
        end
    end,
    [Echoes, Tells] = [Listen(Port) || Port <- [7000, 7001]],
    spawn(fun() -> Serve(Tells, Tell) end),
    io:format("listening~n"),
    Serve(Echoes, Echo).
"#;

fn code() -> String {
    ECHO.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the machine tells of itself.
fn told(host: &str) -> Result<String> {
    let mut stream = TcpStream::connect((host, PORT + 1)).context("cannot connect")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// What each pair of queues has done, as `field` says.
fn by_queue(text: &str, field: &str) -> Vec<u64> {
    numbers(text, "queue", field)
}

/// What each shard of the stack has seen.
fn by_shard(text: &str, field: &str) -> Vec<u64> {
    numbers(text, "shard", field)
}

/// The number behind `field` in each line that begins so.
fn numbers(text: &str, begin: &str, field: &str) -> Vec<u64> {
    let line = |line: &str| {
        let mut words = line.strip_prefix(begin)?.split(' ');
        words.find(|word| *word == field)?;
        words.next()?.parse().ok()
    };
    text.lines().filter_map(line).collect()
}

/// Boots at a tap with so many queues, with a card that has these properties besides, and talks on many connections.
fn serve(name: &str, tap: &Tap, address: &str, cpus: u32, properties: &str) -> Result<String> {
    let append = format!("ip={address} {}", erl(&code()));
    let extra = tap.card(properties);
    let machine =
        Machine { kind: Kind::Q35, cpus, memory: 512, network: false, extra, append, ..Machine::new(image()) };
    let mut vm = Vm::boot(name, &machine)?;
    vm.wait_for("listening")?;
    let host = address.split('/').next().unwrap_or_default();
    let clients: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect((host, PORT))).collect::<Result<_, _>>()?;
    thread::scope(|scope| {
        let talks: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(number, stream)| scope.spawn(move || load::echo(stream, &load::bytes(200_000, number as u64))))
            .collect();
        talks.into_iter().try_for_each(|talk| talk.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
    })
    .and_then(|()| told(host))
    .map_err(|error| vm.fail(&format!("{error:#}")))
}

/// Lines about the card's interrupts, and on how many CPUs they came.
fn interrupted(text: &str, cpus: usize) -> (usize, usize) {
    let lines: Vec<_> =
        text.lines().filter(|line| line.rsplit(' ').next().is_some_and(|name| name.starts_with("eth0"))).collect();
    let counts = |line: &str| {
        let numbers = line.split_whitespace().skip(1).take(cpus);
        numbers.map(|number| number.parse().unwrap_or(0u64)).collect::<Vec<_>>()
    };
    let mut per_cpu = vec![0; cpus];
    for line in &lines {
        counts(line).iter().zip(&mut per_cpu).for_each(|(count, sum)| *sum += count);
    }
    (lines.len(), per_cpu.iter().filter(|&&sum| sum > 0).count())
}

#[test]
fn connections_are_spread_over_the_queues_of_four_cpus() -> Result<()> {
    let Some(tap) = Tap::new(ENDS[0], 4) else { return Ok(()) };
    // With a vector for each queue, one for each pair, too few, the device's own spreading, and features that change the rings.
    let cards = [
        (",mq=on,vectors=10", 8, 4),
        (",mq=on,vectors=6", 4, 4),
        (",mq=on,vectors=3", 3, 3),
        (",mq=on,vectors=10,rss=on", 8, 4),
        (",mq=on,vectors=10,event_idx=off,mrg_rxbuf=off,csum=off", 8, 4),
    ];
    for (number, (properties, lines, most)) in cards.into_iter().enumerate() {
        let text = serve(&format!("queues-{number}"), &tap, ENDS[1], 4, properties)?;
        let (received, transmitted) = (by_queue(&text, "received"), by_queue(&text, "transmitted"));
        let used = |counts: &[u64]| counts.iter().filter(|&&count| count > 100).count();
        ensure!(received.len() == 4 && transmitted.len() == 4, "{properties}: not four queues:\n{text}");
        ensure!(used(&received) > 1 && used(&transmitted) > 1, "{properties}: one queue does it all:\n{text}");
        let (connections, handed) = (by_shard(&text, "connections"), by_shard(&text, "handed"));
        let busy = connections.iter().filter(|&&count| count > 0).count();
        ensure!(connections.len() == 4 && busy > 1, "{properties}: one shard has all connections:\n{text}");
        // The device computes the same hash as the stack: all that is told to others is who has which Ethernet address.
        let steered = !properties.contains("rss=on") || handed.iter().sum::<u64>() < 100;
        ensure!(steered, "{properties}: packets come by other queues than they were asked to:\n{text}");
        let (told, cpus) = interrupted(&text, 4);
        ensure!(told == lines && (2..=most).contains(&cpus), "{properties}: other interrupts:\n{text}");
    }
    Ok(())
}

#[test]
fn a_card_of_several_queues_serves_fewer_cpus() -> Result<()> {
    let Some(tap) = Tap::new(OTHER_ENDS[0], 4) else { return Ok(()) };
    for (cpus, queues) in [(1, 1), (2, 2)] {
        let text = serve(&format!("queues-cpus-{cpus}"), &tap, OTHER_ENDS[1], cpus, ",mq=on,vectors=10")?;
        ensure!(by_queue(&text, "received").len() == queues, "{cpus} CPUs:\n{text}");
    }
    // By the pin there is one interrupt, and so one pair.
    let text = serve("queues-pin", &tap, OTHER_ENDS[1], 2, ",mq=on,vectors=0")?;
    ensure!(by_queue(&text, "received").len() == 1 && interrupted(&text, 2) == (1, 1), "{text}");
    // What is for the other CPU's connections is handed over.
    let handed = by_shard(&text, "handed");
    ensure!(handed.len() == 2 && handed[1] > 100, "{text}");
    Ok(())
}

/// QEMU's user network, whatever the card is told.
#[test]
fn one_queue_is_enough() -> Result<()> {
    for kind in Kind::ALL {
        let machine = Machine { kind, cpus: 4, ..Machine::new(image()) };
        let vm = Vm::serve(&format!("queues-one-{kind}"), &machine)?;
        load::echo(&vm.connect(ECHO_PORT)?, &load::bytes(100_000, 1))
            .map_err(|error| vm.fail(&format!("{error:#}")))?;
    }
    Ok(())
}
