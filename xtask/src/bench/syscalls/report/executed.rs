//! What starts and HTTP requests execute, and what follows from that.

use super::super::{
    data::{BootRun, Data, RequestRun, Share},
    systems::LINUX,
};
use crate::bench::page::{
    document::{Cell, Table},
    words::{number, thousands},
};

const SHARES: [(Share, &str); 3] = [(Share::Erlang, "Erlang"), (Share::Tcp, "TCP/IP"), (Share::System, "system")];
/// Functions of the system that the table names.
const FUNCTIONS: usize = 3;
/// From which part on a request has grown, ...
const GROWTH: f64 = 0.5;
/// ... and what part of that makes something its cause.
const CAUSE: f64 = 0.5;
/// A difference in translated code that is worth a sentence.
const TWICE: f64 = 0.02;

/// Instructions of one request.
fn per_request(run: &RequestRun, share: Share) -> f64 {
    run.parts.get(&share).map_or(0.0, |&count| count as f64 / run.requests.max(1) as f64)
}

fn all(run: &RequestRun) -> f64 {
    SHARES.iter().map(|(share, _)| per_request(run, *share)).sum()
}

pub fn requests(data: &Data) -> Table {
    let rows = data.requests.iter().map(|run| {
        let count = |value: f64| Cell::number(thousands(value), value);
        let share = |(share, _): &(Share, &str)| match run.parts.get(share) {
            Some(_) => count(per_request(run, *share)),
            None => Cell::text(""),
        };
        let connections = Cell::number(run.connections.to_string(), run.connections.into());
        let mut cells = vec![Cell::text(&run.system), connections, count(all(run))];
        cells.extend(SHARES.iter().map(share));
        let functions =
            run.functions.iter().take(FUNCTIONS).map(|(name, count)| {
                format!("{} {}", short(name), thousands(*count as f64 / run.requests.max(1) as f64))
            });
        cells.push(Cell::text(functions.collect::<Vec<_>>().join(", ")));
        cells
    });
    let names = SHARES.map(|(_, name)| name);
    let head = [&["system", "connections", "all"], &names[..], &["most of it"]].concat();
    Table { rows: rows.collect(), head: head.into_iter().map(str::to_owned).collect() }
}

/// The last two words of a path: a method with its type.
fn short(name: &str) -> &str {
    let end = name.find('<').unwrap_or(name.len());
    let from = |end: usize| name[..end].rfind("::");
    from(end).and_then(from).map_or(name, |at| &name[at + 2..])
}

/// What a request executes with few and with many connections; where it grows with them, how much of that is in TCP/IP.
pub fn growth(data: &Data) -> Option<String> {
    let ends = |system: &str| {
        let runs: Vec<_> = data.requests.iter().filter(|run| run.system == system).collect();
        Some((*runs.first()?, *runs.last()?))
    };
    let (few, many) = ends(data.base())?;
    let (linux_few, linux_many) = ends(LINUX)?;
    let added = all(many) - all(few);
    let tcp = (per_request(many, Share::Tcp) - per_request(few, Share::Tcp)) / added;
    let cause = if added > all(few) * GROWTH && tcp > CAUSE {
        let percent = 100.0 * tcp.min(1.0);
        format!(" What is added is TCP/IP to {percent:.0} %, so it has little to do with how system calls enter.")
    } else {
        String::new()
    };
    Some(format!(
        "Instructions of an HTTP request, {} connection and {}: {} {} and {}, linux {} and {}.{cause}",
        few.connections,
        many.connections,
        data.base(),
        thousands(all(few)),
        thousands(all(many)),
        thousands(all(linux_few)),
        thousands(all(linux_many)),
    ))
}

pub fn boots(data: &Data) -> Table {
    let rows = data.boots.iter().map(|run| {
        let count = |value: u64| Cell::number(thousands(value as f64), value as f64);
        vec![Cell::text(&run.system), count(run.instructions), count(run.pieces), count(again(run))]
    });
    let head = ["system", "instructions", "pieces translated", "again"].map(str::to_owned).to_vec();
    Table { rows: rows.collect(), head }
}

/// Translations of code that had been translated.
fn again(run: &BootRun) -> u64 {
    run.translations.saturating_sub(run.pieces)
}

/// Which start has the emulation translate more code a second time than another does.
pub fn translations(data: &Data) -> Option<String> {
    let extra = |run: &&BootRun| again(run);
    let (least, most) = (data.boots.iter().min_by_key(extra)?, data.boots.iter().max_by_key(extra)?);
    let more = (again(most) - again(least)) as f64 / most.translations.max(1) as f64;
    (more > TWICE).then(|| {
        format!(
            "A start in {} has the emulation translate {} % more code a second time than in {}. That costs time in an emulator only.",
            most.system,
            number(100.0 * more),
            least.system
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::syscalls::data::About;

    fn data(tcp: u64) -> Data {
        let run = |system: &str, connections, tcp, rest| RequestRun {
            system: system.into(),
            connections,
            requests: 10,
            parts: [(Share::Erlang, 100), (Share::Tcp, tcp), (Share::System, rest)].into(),
            functions: vec![("a::b::c::d".into(), 20)],
        };
        Data {
            about: About { systems: vec!["direct".into(), "linux".into()], ..About::default() },
            requests: vec![
                run("direct", 1, 50, 10),
                run("direct", 128, tcp, 10),
                run("linux", 1, 0, 500),
                run("linux", 128, 0, 400),
            ],
            ..Data::default()
        }
    }

    #[test]
    fn a_cause_is_named_only_where_it_is_one() {
        let said = |data: &Data| growth(data).unwrap();
        let grown = said(&data(450));
        assert!(grown.contains("direct 16 and 56, linux 60 and 50. What is added is TCP/IP to 100 %"), "{grown}");
        assert!(!said(&data(60)).contains("What is added"));
        let mut other = data(450);
        other.requests[1].parts.insert(Share::System, 1000);
        assert!(!said(&other).contains("What is added"));
        assert_eq!(growth(&Data::default()), None);
    }

    #[test]
    fn the_table_divides_by_requests() {
        let table = requests(&data(450));
        let texts: Vec<_> = table.rows[1].iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(texts, ["direct", "128", "56", "10", "45", "1", "c::d 2"]);
        assert_eq!(short("<smoltcp::x::Y as Z>::window"), "<smoltcp::x::Y as Z>::window");
        assert_eq!(short("smoltcp::iface::Interface::poll_at"), "Interface::poll_at");
    }

    #[test]
    fn code_translated_again_is_told_when_it_is_much() {
        let of = |translations: [u64; 2]| {
            let run = |(system, translations): (&str, u64)| BootRun {
                system: system.into(),
                instructions: 1,
                translations,
                pieces: 1000,
            };
            let boots = ["a", "b"].into_iter().zip(translations).map(run).collect();
            translations_of(Data { boots, ..Data::default() })
        };
        assert!(of([1100, 1000]).is_some_and(|said| said.contains("in a ") && said.contains("9.09 %")));
        assert_eq!(of([1010, 1000]), None);
    }

    fn translations_of(data: Data) -> Option<String> {
        translations(&data)
    }
}
