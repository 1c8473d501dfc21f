//! What the measuring programs print: lines that begin with `=` (`bench/syscalls/micro/main.c`, `trapless_bench.erl`).

use anyhow::{Context, Result, bail, ensure};

use super::data::{Absent, Calls, Count, Proof, Samples};

/// One result.
#[derive(Debug, PartialEq)]
pub enum Line {
    Time(Samples),
    Count(Count),
    Proof(Proof),
    Calls(Calls),
    Absent(Absent),
}

/// Reads all results of a console. Other lines, those of the system among them, are passed over.
///
/// # Errors
/// A line that does not read as it should: what stands on the console is not what was measured.
pub fn read(console: &str) -> Result<Vec<Line>> {
    let lines = console.lines().map(str::trim_end).filter_map(|line| line.strip_prefix('='));
    lines.filter_map(|line| one(line).with_context(|| format!("cannot read the line ={line}")).transpose()).collect()
}

fn one(line: &str) -> Result<Option<Line>> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Some(match kind {
        "time" => Line::Time(Samples {
            name: field(rest, "name")?.to_owned(),
            operations: number(field(rest, "operations")?)?,
            ns: numbers(field(rest, "ns")?)?,
            yardstick: numbers(field(rest, "yardstick")?)?,
            // Erlang has no such counter.
            ticks: field(rest, "ticks").map_or(Ok(Vec::new()), numbers)?,
        }),
        "count" => Line::Count(Count {
            name: field(rest, "name")?.to_owned(),
            operations: pair(field(rest, "operations")?)?,
            instructions: pair(field(rest, "instructions")?)?,
            agreed: pair(field(rest, "agreed")?)?,
            of: number(field(rest, "of")?)?,
        }),
        "proof" => Line::Proof(Proof {
            iterations: number(field(rest, "iterations")?)?,
            instructions: number(field(rest, "instructions")?)?,
        }),
        "calls" => Line::Calls(Calls {
            name: field(rest, "name")?.to_owned(),
            operations: number(field(rest, "operations")?)?,
            calls: rest.split(' ').skip(2).map(call).collect::<Result<_>>()?,
        }),
        "absent" => Line::Absent(Absent {
            name: field(rest, "name")?.to_owned(),
            reason: rest.split_once("reason=").map(|(_, reason)| reason.to_owned()).context("no reason")?,
        }),
        // Marks of where the program is.
        "begin" | "end" | "hello" | "serving" | "path" | "symbol" => return Ok(None),
        _ => bail!("the program says: {line}"),
    }))
}

/// `NAME=COUNT`.
pub fn call(word: &str) -> Result<(String, u64)> {
    let (name, count) = word.split_once('=').context("NAME=COUNT was expected")?;
    Ok((name.to_owned(), number(count)?))
}

fn field<'a>(line: &'a str, name: &str) -> Result<&'a str> {
    let found = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    found.with_context(|| format!("it has no {name}="))
}

fn number(text: &str) -> Result<u64> {
    text.parse().with_context(|| format!("{text:?} is no number"))
}

fn numbers(text: &str) -> Result<Vec<u64>> {
    text.split(',').map(number).collect()
}

fn pair(text: &str) -> Result<[u64; 2]> {
    let numbers = numbers(text)?;
    ensure!(numbers.len() == 2, "{text:?} is not a pair");
    Ok([numbers[0], numbers[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_other_lines_are_not() {
        let console = "[0.1] noise\r\n=begin\r\n=time name=a operations=8 ns=1,2 yardstick=5,6 ticks=3,4\r\n\
             =count name=a operations=8,16 instructions=10,20 agreed=33,30 of=33\n=absent name=b reason=eventfd: No room\n=end\n";
        let lines = read(console).unwrap();
        assert_eq!(
            lines[0],
            Line::Time(Samples {
                name: "a".into(),
                operations: 8,
                ns: vec![1, 2],
                yardstick: vec![5, 6],
                ticks: vec![3, 4]
            })
        );
        assert!(matches!(&lines[1], Line::Count(count) if count.agreed == [33, 30]));
        assert_eq!(lines[2], Line::Absent(Absent { name: "b".into(), reason: "eventfd: No room".into() }));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn calls_are_a_list_that_may_be_empty() {
        let calls = |text: &str| match read(text).unwrap().pop() {
            Some(Line::Calls(calls)) => calls.calls.into_iter().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(calls("=calls name=x operations=4"), []);
        assert_eq!(
            calls("=calls name=x operations=4 read=8 futex=1"),
            [("futex".to_owned(), 1), ("read".to_owned(), 8)]
        );
    }

    #[test]
    fn a_damaged_line_is_an_error() {
        for wrong in
            ["=time name=a operations=8", "=time name=a operations=x ns=1", "=huh", "=calls name=a operations=1 x"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
