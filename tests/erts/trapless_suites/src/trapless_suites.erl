%% Runs a suite of Common Test where nobody can read its HTML: one line a result on the console.
%%
%%     erl -noshell -run trapless_suites run APPLICATION FOLDER LOGS SUITE LEFT_OUT
%%
%% LEFT_OUT is a file with cases to leave out, one a line, spelled as in the lines of results. What OTP's own specification of the
%% application's tests skips, as benchmarks and what it says takes too long, is left out, too.
-module(trapless_suites).
-export([run/1]).

run([Application, Folder, Logs, Suite, LeftOut]) ->
    ok = filelib:ensure_path(Logs),
    ok = trapless_suites_hook:prepare(),
    %% As where OTP runs its suites, which boots with it.
    {ok, _} = application:ensure_all_started(sasl),
    Options = [{dir, Folder},
               {suite, [list_to_atom(Suite)]},
               {logdir, Logs},
               {auto_compile, false},
               {basic_html, true},
               {enable_builtin_hooks, false},
               {ct_hooks, [{trapless_suites_hook, {LeftOut, filename:join(Folder, Application ++ ".spec")}}]},
               {event_handler, {trapless_suites_events, []}},
               %% Software emulation with more CPUs than the host has is slow; time limits are there to catch what hangs.
               {multiply_timetraps, 4},
               {verbosity, 0}],
    Result = ct:run_test(Options),
    io:format("@@ end ~0p~n", [Result]),
    halt(case Result of {_, 0, _} -> 0; {_, _, _} -> 1; _ -> 2 end).
