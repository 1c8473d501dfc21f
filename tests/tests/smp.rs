//! All CPUs work, and what runs on them is not disturbed.

use anyhow::{Result, ensure};
use trapless_tests::{erl, exit::Exit, image, machine::Machine, vm::Vm};

/// Eight processes that never wait, watched through the image's own list of threads until the eight schedulers have
/// been seen at work on eight CPUs: they run, or were just interrupted and have run since the first look. Each process begins on a scheduler of its own: ERTS would come to that by itself,
/// after so many million reductions of each scheduler that a busy host needs minutes for them. Who watches goes first, and takes a
/// CPU away from one of the eight while it looks.
const BUSY: &str = r#"
    process_flag(priority, max),
    Busy = fun Busy() -> Busy() end,
    [spawn_opt(Busy, [{scheduler, N}]) || N <- lists:seq(1, 8)],
    Times = fun() ->
        {ok, Text} = file:read_file("/proc/trapless/threads", [raw]),
        Lines = [string:lexemes(Line, " ") || Line <- string:split(Text, "\n", all)],
        [{Name, State, Cpu, binary_to_integer(Ns)} || [_, <<"erts_sched", _/binary>> = Name, State, Cpu, Ns] <- Lines]
    end,
    First = Times(),
    Watch = fun Watch(Seen) ->
        AtWork = [{Name, Cpu} || {Name, State, Cpu, Ns} <- Times(), {Known, _, _, Before} <- First, Name =:= Known,
                                 State =:= <<"running">> orelse Ns > Before],
        More = lists:usort(AtWork ++ Seen),
        case {length(lists:ukeysort(1, More)), length(lists:ukeysort(2, More))} of
            {8, 8} -> io:format("all eight at work~n"), halt(8);
            _ -> receive after 10 -> Watch(More) end
        end
    end,
    Watch([]).
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
