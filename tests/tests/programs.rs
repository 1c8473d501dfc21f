//! Programs that ports ask for: those that the system has, and those that it does not.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use trapless_tests::{erl, exit::Exit, image, machine::Machine, variant, vm::Vm};

/// Evaluates each expression and returns what `~p` shows of it.
fn evaluate(name: &str, image: PathBuf, expressions: &[&str]) -> Result<Vec<String>> {
    let shown: String =
        expressions.iter().map(|code| format!("io:format(\"=~0p~n\", [(fun() -> {code} end)()]), ")).collect();
    let machine = Machine { append: erl(&format!("{shown} halt(0).")), cpus: 2, ..Machine::new(image) };
    let mut vm = Vm::boot(name, &machine)?;
    let exit = vm.wait_exit()?;
    let console = vm.console().text();
    ensure!(exit == Exit::Halted(0), "it ended with {exit:?}:\n{console}");
    Ok(console.lines().filter_map(|line| Some(line.trim_end().strip_prefix('=')?.to_owned())).collect())
}

fn says(name: &str, image: PathBuf, pairs: &[(&str, &str)]) -> Result<()> {
    let codes: Vec<&str> = pairs.iter().map(|(code, _)| *code).collect();
    let shown = evaluate(name, image, &codes)?;
    ensure!(shown.len() == pairs.len(), "{} results of {}: {shown:?}", shown.len(), pairs.len());
    for ((code, expected), shown) in pairs.iter().zip(shown) {
        ensure!(shown == *expected, "{code} is {shown}, not {expected}");
    }
    Ok(())
}

#[test]
fn os_cmd_is_answered() -> Result<()> {
    says(
        "os-cmd",
        image(),
        &[
            (r#"os:cmd("echo hello")"#, r#""hello\n""#),
            (r#"os:cmd("uname -s; nproc")"#, r#""Linux\n2\n""#),
            (r#"os:cmd("no_such_program --version")"#, r#""sh: no_such_program: not found\n""#),
            (r#"os:cmd("cd /tmp && pwd")"#, r#""/tmp\n""#),
            (r#"string:trim(os:cmd("hostname")) =:= element(2, inet:gethostname()) ++ ".localdomain""#, "true"),
            (r#"length(string:lexemes(os:cmd("df -kP /tmp"), "\n"))"#, "2"),
            (r#"os:cmd("date '+%Z'")"#, r#""UTC\n""#),
            (r#"os:cmd("ps -e | grep '[b]eam' | grep -c .")"#, r#""1\n""#),
            (r#"filelib:is_regular(string:trim(os:cmd("mktemp")))"#, "true"),
            // Of the one process that there is, as RabbitMQ and observer_cli ask.
            (r#"list_to_integer(string:trim(os:cmd("ps -p " ++ os:getpid() ++ " -o rss="))) > 10000"#, "true"),
            (
                r#"length([list_to_float(F) || F <- lists:nthtail(2, string:lexemes(os:cmd("ps -o pcpu,pmem " ++ os:getpid()), " \n"))])"#,
                "2",
            ),
            (
                r#"os:cmd("ps -p 99 -o pid= || kill -0 " ++ os:getpid() ++ " && kill -0 99")"#,
                r#""kill: (99): No such process\n""#,
            ),
            // As deep as it goes.
            (r#"os:cmd("((((echo $(nproc)))))")"#, r#""2\n""#),
            (r#"string:find(os:cmd("x='sh -c \"$x\"'; export x; sh -c \"$x\""), "too deep") =/= nomatch"#, "true"),
            (r#"os:find_executable("df")"#, r#""/bin/df""#),
            (r#"os:find_executable("vi")"#, "false"),
            // Many at once, and one after the other.
            (
                r#"begin S = self(), [spawn(fun() -> S ! os:cmd("echo " ++ integer_to_list(N)) end) || N <- lists:seq(1, 50)],
                lists:sum([receive R -> list_to_integer(string:trim(R)) end || _ <- lists:seq(1, 50)]) end"#,
                "1275",
            ),
            (r#"length([ok || _ <- lists:seq(1, 100), os:cmd("true") =:= []])"#, "100"),
        ],
    )
}

#[test]
fn ports_end_with_their_programs() -> Result<()> {
    let run = |spawn: &str, options: &str, send: &str| {
        format!(
            "begin P = open_port({spawn}, [binary, exit_status, {options}]), {send} \
             F = fun F(D) -> receive {{P, {{data, X}}}} -> F([D, X]); {{P, {{exit_status, S}}}} -> {{iolist_to_binary(D), S}} \
             after 60000 -> hang end end, F([]) end"
        )
    };
    let [ended, typed, placed, unknown, words, error] = [
        run(r#"{spawn, "exit 3"}"#, "stderr_to_stdout", ""),
        run(r#"{spawn_executable, "/bin/sh"}"#, r#"{args, ["-s"]}"#, r#"port_command(P, <<"read_me\nexit 5\n">>),"#),
        run(
            r#"{spawn_executable, "/bin/sh"}"#,
            r#"{args, ["-c", "pwd; printenv NEW"]}, {cd, "/etc"}, {env, [{"NEW", "value"}]}"#,
            "",
        ),
        run(r#"{spawn, "no_such_program"}"#, "stderr_to_stdout", ""),
        run(r#"{spawn_executable, "/bin/echo"}"#, r#"{args, ["a b", "c"]}"#, ""),
        run(r#"{spawn, "pwd"}"#, r#"stderr_to_stdout, {cd, "/none"}"#, ""),
    ];
    says(
        "ports",
        image(),
        &[
            (&ended, "{<<>>,3}"),
            (&typed, "{<<>>,5}"),
            (&placed, r#"{<<"/etc\nvalue\n">>,0}"#),
            (&unknown, r#"{<<"sh: no_such_program: not found\n">>,127}"#),
            (&words, r#"{<<"a b c\n">>,0}"#),
            (&error, r#"{<<"spawn: Could not cd to /none\r\n">>,2}"#),
            // A program that is not there is an error of the caller.
            (r#"element(1, element(2, catch open_port({spawn_executable, "/bin/vi"}, [])))"#, "enoent"),
            // A port that is closed ends its program, and the next one works.
            (
                r#"begin Q = open_port({spawn, "cat"}, [binary]), port_command(Q, <<"x">>), receive {Q, {data, X}} -> X end end"#,
                r#"<<"x">>"#,
            ),
            (
                r#"begin [port_close(open_port({spawn, "cat"}, [])) || _ <- lists:seq(1, 100)], os:cmd("echo on") end"#,
                r#""on\n""#,
            ),
        ],
    )
}

/// A signal from a program reaches Erlang, which stops in order.
#[test]
fn kill_ends_the_program() -> Result<()> {
    let code = r#"os:cmd("kill -TERM " ++ os:getpid())."#;
    let mut vm = Vm::boot("kill", &Machine { append: erl(code), cpus: 2, ..Machine::new(image()) })?;
    vm.wait_for("SIGTERM received - shutting down")?;
    let exit = vm.wait_exit()?;
    ensure!(exit == Exit::Halted(0), vm.fail(&format!("it ended with {exit:?}")));
    Ok(())
}

/// OTP's own supervision of the machine, by the programs it starts.
#[test]
fn os_mon_knows_the_machine() -> Result<()> {
    says(
        "os-mon",
        variant::with_applications()?,
        &[
            ("element(1, application:ensure_all_started(os_mon))", "ok"),
            ("is_integer(cpu_sup:avg1()) andalso is_integer(cpu_sup:avg15())", "true"),
            ("cpu_sup:nprocs() > 5", "true"),
            ("case cpu_sup:util([detailed, per_cpu]) of [{0, _, _, _}, {1, _, _, _}] -> two end", "two"),
            (
                "begin D = maps:from_list(memsup:get_system_memory_data()), #{total_memory := T, free_memory := F} = D, \
                 {T > 200000000, F > 0 andalso F < T} end",
                "{true,true}",
            ),
            ("element(1, memsup:get_memory_data()) > 0", "true"),
            // Sooner or later a busy machine has a load.
            (
                "begin S = spawn(fun F() -> F() end), L = fun L(0) -> timer:sleep(500), L(cpu_sup:avg1()); L(N) -> N > 0 end, \
                 Loaded = L(0), exit(S, kill), Loaded end",
                "true",
            ),
            ("[{Disk, Size} || {Disk, Size, _} <- disksup:get_disk_data(), Disk =:= \"/\", Size > 0] =/= []", "true"),
            ("case disksup:get_disk_info(\"/tmp\") of [{\"/\", Total, Free, _}] -> Free < Total end", "true"),
        ],
    )
}

/// Erlang's `native` lookup, which asks a program: it knows what the file of hosts says.
#[test]
fn names_are_looked_up_natively() -> Result<()> {
    says(
        "native-lookup",
        image(),
        &[
            (r#"begin inet_db:set_lookup([native]), inet:getaddr("localhost", inet) end"#, "{ok,{127,0,0,1}}"),
            (
                r#"element(2, inet:gethostbyaddr({127,0,0,1}))"#,
                r#"{hostent,"localhost",["localhost.localdomain"],inet,4,[{127,0,0,1}]}"#,
            ),
            (r#"inet:getaddr("no.such.host", inet)"#, "{error,nxdomain}"),
            (r#"inet_gethost_native:gethostbyname("no.such.host")"#, "{error,notfound}"),
            (r#"inet:gethostbyname("10.1.2.3")"#, r#"{ok,{hostent,"10.1.2.3",[],inet,4,[{10,1,2,3}]}}"#),
            (
                r#"begin ok = file:write_file("/etc/hosts", "fd00::7 seven\n10.0.0.7 seven\n"),
                {inet:getaddr("seven", inet), inet:getaddr("seven", inet6)} end"#,
                "{{ok,{10,0,0,7}},{ok,{64768,0,0,0,0,0,0,7}}}",
            ),
            // One name after the other, and many at once.
            (
                r#"begin S = self(), [spawn(fun() -> S ! inet:getaddr("seven", inet) end) || _ <- lists:seq(1, 50)],
                [{ok, {10,0,0,7}}] =:= lists:usort([receive R -> R end || _ <- lists:seq(1, 50)]) end"#,
                "true",
            ),
        ],
    )
}
