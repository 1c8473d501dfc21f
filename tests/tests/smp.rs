//! All CPUs work, and what runs on them is not disturbed.

use anyhow::{Result, ensure};
use trapless_tests::{erl, exit::Exit, image, machine::Machine, vm::Vm};

/// Eight processes that never wait, watched through the image's own list of threads until the eight schedulers have
/// been seen running on eight CPUs.
const BUSY: &str = r#"
    Busy = fun Busy() -> Busy() end,
    [spawn(Busy) || _ <- lists:seq(1, 8)],
    Running = fun() ->
        {ok, Text} = file:read_file("/proc/trapless/threads"),
        Lines = [string:lexemes(Line, " ") || Line <- string:split(Text, "\n", all)],
        [{Name, Cpu} || [_, <<"erts_sched", _/binary>> = Name, <<"running">>, Cpu | _] <- Lines]
    end,
    Watch = fun Watch(Schedulers, Cpus) ->
        Now = Running(),
        More = lists:usort([Name || {Name, _} <- Now] ++ Schedulers),
        MoreCpus = lists:usort([Cpu || {_, Cpu} <- Now] ++ Cpus),
        case {length(More), length(MoreCpus)} of
            {8, 8} -> io:format("all eight at work~n"), halt(8);
            _ -> receive after 10 -> Watch(More, MoreCpus) end
        end
    end,
    Watch([], []).
"#;

#[test]
fn eight_busy_processes_use_eight_cpus() -> Result<()> {
    let machine = Machine { cpus: 8, memory: 512, append: erl(&one_line(BUSY)), ..Machine::new(image()) };
    let mut vm = Vm::boot("busy", &machine)?;
    vm.wait_for("all eight at work")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(8), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// Every number of schedulers gets through work that passes messages round in a ring.
#[test]
fn a_ring_of_processes_at_every_number_of_cpus() -> Result<()> {
    let ring = r#"
        Main = self(),
        Node = fun(Next) -> fun Loop() -> receive stop -> Next ! stop; N -> Next ! N + 1, Loop() end end end,
        First = lists:foldl(fun(_, Next) -> spawn(Node(Next)) end, Main, lists:seq(1, 100)),
        Round = fun Round(0, N) -> N; Round(Left, N) -> First ! N, receive M -> Round(Left - 1, M) end end,
        io:format("ring ~p~n", [Round(100, 0)]), halt(0).
    "#;
    for cpus in [1, 2, 3, 4, 8] {
        let machine = Machine { cpus, append: erl(&one_line(ring)), ..Machine::new(image()) };
        let mut vm = Vm::boot(&format!("ring-{cpus}"), &machine)?;
        vm.wait_for("ring 10000")?;
    }
    Ok(())
}

/// Registers, flags and the words below the stack pointer survive interrupts.
#[test]
fn the_sentinel_finds_no_mismatch() -> Result<()> {
    for cpus in [1, 8] {
        let machine = Machine { cpus, append: "selftest=sentinel,20".into(), ..Machine::new(image()) };
        let mut vm = Vm::boot(&format!("sentinel-{cpus}"), &machine)?;
        vm.wait_for("sentinel: ")?;
        let exit = vm.wait_exit()?;
        ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    }
    Ok(())
}

/// A command line has one line.
fn one_line(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}
