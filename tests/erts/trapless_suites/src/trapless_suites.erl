%% Runs suites of Common Test where nobody can read its HTML: one line a result on the console.
%%
%%     erl -noshell -run trapless_suites run FOLDER LOGS SUITE...
-module(trapless_suites).
-export([run/1]).

run([Folder, Logs | Suites]) ->
    ok = filelib:ensure_path(Logs),
    Options = [{dir, Folder},
               {suite, [list_to_atom(Suite) || Suite <- Suites]},
               {logdir, Logs},
               {auto_compile, false},
               {basic_html, true},
               {enable_builtin_hooks, false},
               {event_handler, {trapless_suites_events, []}},
               %% Software emulation with more CPUs than the host has is slow; time limits are there to catch what hangs.
               {multiply_timetraps, 4},
               {verbosity, 0}],
    Result = ct:run_test(Options),
    io:format("@@ end ~0p~n", [Result]),
    halt(case Result of {_, 0, _} -> 0; {_, _, _} -> 1; _ -> 2 end).
