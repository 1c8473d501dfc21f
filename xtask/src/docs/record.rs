//! What ERTS uses: system calls and their flags, out of traces of the image at work.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    net::Shutdown,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use trapless_abi::table;
use trapless_tests::{erl, exit::Exit, load, machine::ECHO_PORT, machine::Machine, vm::Vm};

use crate::{
    build,
    cli::{BuildOptions, Entry, Flavor},
};

/// Files, directories, ports, timers, datagrams, streams and what the system tells, each a little.
const WORK: &str = r#"
    ok = file:write_file("/tmp/a", binary:copy(<<"x">>, 100000)),
    {ok, _} = file:read_file("/tmp/a"), {ok, _} = file:list_dir("/otp"), ok = file:make_dir("/tmp/d"),
    {ok, F} = file:open("/tmp/a", [read, write, raw, binary]), {ok, _} = file:pread(F, 5, 10),
    ok = file:pwrite(F, 5, <<"y">>), {ok, _} = file:position(F, {cur, 1}), ok = file:truncate(F), ok = file:sync(F),
    ok = file:datasync(F), _ = file:advise(F, 0, 0, sequential), _ = file:allocate(F, 0, 10), ok = file:close(F),
    {ok, _} = file:read_file_info("/tmp/a"), {ok, _} = file:read_link_info("/tmp/a"),
    ok = file:change_mode("/tmp/a", 8#600), ok = file:make_symlink("/tmp/a", "/tmp/s"), {ok, _} = file:read_link("/tmp/s"),
    ok = file:make_link("/tmp/a", "/tmp/l"), ok = file:rename("/tmp/a", "/tmp/b"), ok = file:delete("/tmp/b"),
    ok = file:delete("/tmp/s"), ok = file:delete("/tmp/l"), ok = file:del_dir("/tmp/d"), {ok, _} = file:get_cwd(),
    ok = file:set_cwd("/tmp"), _ = (catch open_port({spawn, "ls"}, [])), _ = (catch os:cmd("echo hello")), _ = os:getenv("HOME"),
    _ = os:timestamp(), _ = erlang:monotonic_time(), _ = erlang:system_info(cpu_topology), _ = erlang:statistics(runtime),
    receive after 20 -> ok end, erlang:send_after(5, self(), t), receive t -> ok end,
    {ok, U} = gen_udp:open(0, [binary, {active, false}]), {ok, P} = inet:port(U),
    ok = gen_udp:send(U, {127,0,0,1}, P, <<"x">>), {ok, _} = gen_udp:recv(U, 0, 5000), ok = gen_udp:close(U),
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {reuseaddr, true}]), {ok, Q} = inet:port(L),
    spawn(fun() -> {ok, C} = gen_tcp:connect({127,0,0,1}, Q, [binary, {nodelay, true}]),
        ok = gen_tcp:send(C, [<<"a">>, <<"b">>]), receive _ -> ok end, gen_tcp:close(C) end),
    {ok, S} = gen_tcp:accept(L), {ok, _} = gen_tcp:recv(S, 2), {ok, _} = inet:peername(S), ok = gen_tcp:send(S, <<"c">>),
    _ = gen_tcp:recv(S, 0), _ = inet:getifaddrs(), _ = inet:gethostname(),
    {ok, Z} = socket:open(inet, stream, tcp), _ = socket:getopt(Z, {socket, rcvbuf}), ok = socket:close(Z),
    lists:foreach(fun(_) -> spawn(fun() -> lists:seq(1, 100000) end) end, lists:seq(1, 50)), erlang:garbage_collect(),
    halt(9).
"#;

/// Calls by name, with the names of flags and constants that were passed.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Summary {
    pub calls: BTreeMap<String, BTreeSet<String>>,
}

impl Summary {
    /// Reads a summary as [`Summary::to_text`] writes it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let calls = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            Some((words.next()?, words.collect()))
        });
        Ok(Self { calls: calls.collect() })
    }

    /// A line for each call: its name, and the names of flags and constants.
    pub fn to_text(&self) -> String {
        let mut text = "# System calls of ERTS, with flags, as `cargo xtask docs --record` saw them.\n".to_owned();
        for (name, words) in &self.calls {
            text.push_str(name);
            words.iter().for_each(|word| write!(text, " {word}").expect("text grows"));
            text.push('\n');
        }
        text
    }

    /// Adds a line of a trace: `[thread time] name(arguments) = result`. Other lines, what stands before, and a line into which the
    /// program's own output has got, are none of it.
    fn add_line(&mut self, line: &str) {
        let Some((call, _)) = line.rsplit_once(") = ") else { return };
        let Some((_, call)) = call.split_once("] ") else { return };
        let Some((name, arguments)) = call.split_once('(') else { return };
        let is_whole = arguments.chars().all(|c| c.is_ascii_alphanumeric() || "_|, -".contains(c));
        if !is_whole || table::ROWS.iter().all(|row| row.name != name) {
            return;
        }
        let words = self.calls.entry(name.to_owned()).or_default();
        for argument in arguments.split(", ").filter(|text| *text != "NULL") {
            if argument.starts_with(|first: char| first.is_ascii_uppercase()) {
                words.extend(argument.split('|').map(str::to_owned));
            }
        }
    }

    fn add(&mut self, vm: &Vm) {
        vm.console().lines().iter().for_each(|line| self.add_line(&line.text));
    }
}

/// Watches the image boot, echo, work, and answer in the shell.
pub fn record() -> Result<Summary> {
    let options = BuildOptions { flavor: Flavor::Jit, entry: Entry::Direct, app: None, nif: Vec::new(), debug: false };
    let image = build::build(&options)?;
    let machine = |append: String| Machine { cpus: 4, append, ..Machine::new(image.clone()) };
    let mut summary = Summary::default();

    let vm = Vm::serve("record-echo", &machine("trace=all".into()))?;
    let stream = vm.connect(ECHO_PORT)?;
    load::echo(&stream, &load::bytes(100_000, 1))?;
    stream.shutdown(Shutdown::Both)?;
    summary.add(&vm);
    drop(vm);

    let mut vm = Vm::boot("record-shell", &machine("trace=all -- ".into()))?;
    vm.wait_for("1> ")?;
    vm.type_in("2 * 111.\r")?;
    vm.wait_for("222")?;
    vm.type_in("halt(8).\r")?;
    ensure!(vm.wait_exit()? == Exit::Halted(8), vm.fail("the shell did not end it"));
    summary.add(&vm);

    let work = WORK.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut vm = Vm::boot("record-work", &machine(format!("trace=all {}", erl(&work))))?;
    ensure!(vm.wait_exit()? == Exit::Halted(9), vm.fail("the work was not done"));
    summary.add(&vm);
    Ok(summary)
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn flags_are_words_in_capitals() {
        let mut summary = Summary::default();
        summary.add_line("[   4 1.250000] openat(AT_FDCWD, 0x2000, O_RDONLY|O_CLOEXEC|0x8000, 00) = 5");
        summary.add_line("1> [   4 1.250000] read(3, NULL, 5) = -1 EFAULT (Bad address)");
        summary.add_line("[   4 1.250000] nosuchcall(3) = 0");
        summary.add_line("[   4 1.250000] mmap(MAP_[   5 1.25] close(3) = 0");
        summary.add_line("Eshell V15");
        let text = summary.to_text();
        assert!(text.ends_with("\nopenat 0x8000 AT_FDCWD O_CLOEXEC O_RDONLY\nread\n"), "{text}");
    }
}
