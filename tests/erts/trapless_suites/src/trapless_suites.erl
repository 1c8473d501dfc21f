%% Runs a suite of Common Test where nobody can read its HTML: one line a result on the console.
%%
%%     erl -noshell -run trapless_suites run FOLDER LOGS SUITE [CASE]
%%
%% With CASE, as in the lines of results, all cases up to that one are left out.
-module(trapless_suites).
-export([run/1, cmd/1]).

run([Folder, Logs, Suite]) ->
    run([Folder, Logs, Suite, ""]);
run([Folder, Logs, Suite, Last]) ->
    ok = filelib:ensure_path(Logs),
    [without_shell(filename:join(Folder, Module ++ ".beam")) || Module <- ["kernel_test_lib", Suite]],
    Options = [{dir, Folder},
               {suite, [list_to_atom(Suite)]},
               {logdir, Logs},
               {auto_compile, false},
               {basic_html, true},
               {enable_builtin_hooks, false},
               {ct_hooks, [{trapless_suites_hook, Last}]},
               {event_handler, {trapless_suites_events, []}},
               %% Software emulation with more CPUs than the host has is slow; time limits are there to catch what hangs.
               {multiply_timetraps, 4},
               {verbosity, 0}],
    Result = ct:run_test(Options),
    io:format("@@ end ~0p~n", [Result]),
    halt(case Result of {_, 0, _} -> 0; {_, _, _} -> 1; _ -> 2 end).

%% Suites and OTP's helper for them ask programs about the machine and the system, even to decide what to run. Where there are no
%% programs they get an os:cmd/1 that answers nothing instead of failing.
without_shell(Beam) ->
    case beam_lib:chunks(Beam, [abstract_code]) of
        {ok, {_, [{abstract_code, no_abstract_code}]}} ->
            ok;
        {ok, {Module, [{abstract_code, {_, Forms}}]}} ->
            {ok, Module, Binary} = compile:forms(own_cmd(Forms), []),
            {module, Module} = code:load_binary(Module, Beam, Binary);
        {error, beam_lib, {file_error, _, enoent}} ->
            ok
    end.

own_cmd({remote, At, {atom, _, os} = Os, {atom, _, cmd} = Cmd}) -> {remote, At, setelement(3, Os, ?MODULE), Cmd};
own_cmd(Form) when is_tuple(Form) -> list_to_tuple(own_cmd(tuple_to_list(Form)));
own_cmd([First | Rest]) -> [own_cmd(First) | own_cmd(Rest)];
own_cmd(Form) -> Form.

cmd(Command) ->
    try os:cmd(Command) catch error:_ -> "" end.
