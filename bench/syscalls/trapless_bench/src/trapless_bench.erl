%% Measures what Erlang programs do, and then serves for whoever measures from outside. Started by `-s trapless_bench`.
%%
%% Each result is one line, in the form in which the C program (../../micro) prints its own:
%%   =time name=NAME operations=N ns=T1,T2,... yardstick=Y1,Y2,...
%%                                                   samples of N operations each, and how fast the host was around each
%%   =calls name=NAME operations=N CALL=COUNT ...    system calls that N operations made, where the system counts them
%% Flags of the command line: `-samples N`, `-sample_ms N`, `-echo_port N`, `-http_port N`.
-module(trapless_bench).
-export([start/0]).

-define(YARDSTICK_STEPS, 500000).

start() ->
    say("=hello"),
    Samples = setting(samples, 9),
    Ns = setting(sample_ms, 60) * 1000000,
    lists:foreach(fun(Work) -> measure(Work, Samples, Ns) end, trapless_bench_work:all()),
    trapless_bench_server:start(setting(echo_port, 5555), setting(http_port, 8080)),
    say("=serving").

%% All of one work happens in a process of its own, so that none inherits the heap of another.
measure({Name, Open, Run, Close}, Samples, Ns) ->
    {Worker, Monitor} = spawn_monitor(fun() ->
        State = Open(),
        N = calibrate(Run, State, Ns, 1),
        Before = trapless_bench_calls:read(),
        {Times, Yards} = lists:unzip(samples(Run, State, N, Samples, yardstick())),
        After = trapless_bench_calls:read(),
        Close(State),
        say(["=time name=", Name, " operations=", integer_to_list(N),
             " ns=", numbers(Times), " yardstick=", numbers(Yards)]),
        tell_calls(Name, Samples * N, trapless_bench_calls:difference(Before, After))
    end),
    receive
        {'DOWN', Monitor, process, Worker, normal} -> ok;
        {'DOWN', Monitor, process, Worker, Reason} ->
            say(io_lib:format("=absent name=~s reason=~0p", [Name, Reason]))
    end.

%% As many operations as take about so long.
calibrate(Run, State, Ns, N) ->
    case min(time(Run, State, N), time(Run, State, N)) of
        Took when Took < Ns div 4 -> calibrate(Run, State, Ns, N * 2);
        Took -> max(1, N * Ns div Took)
    end.

%% Each sample with the yardsticks before and after it together.
samples(_, _, _, 0, _) -> [];
samples(Run, State, N, Samples, Before) ->
    Time = time(Run, State, N),
    After = yardstick(),
    [{Time, Before + After} | samples(Run, State, N, Samples - 1, After)].

%% Code that enters no system: how fast the host is at this moment.
yardstick() ->
    time(fun count_down/2, none, ?YARDSTICK_STEPS).

count_down(_, 0) -> ok;
count_down(State, N) -> count_down(State, N - 1).

numbers(Numbers) ->
    lists:join($,, [integer_to_list(Number) || Number <- Numbers]).

time(Run, State, N) ->
    Start = erlang:monotonic_time(nanosecond),
    Run(State, N),
    erlang:monotonic_time(nanosecond) - Start.

tell_calls(_, _, not_counted) ->
    ok;
tell_calls(Name, N, Calls) ->
    say(["=calls name=", Name, " operations=", integer_to_list(N),
         [[$\s, Call, $=, integer_to_list(Count)] || {Call, Count} <- Calls]]).

setting(Name, Default) ->
    case init:get_argument(Name) of
        {ok, [[Value] | _]} -> list_to_integer(Value);
        _ -> Default
    end.

%% One message for a whole line, so that lines of processes do not mix.
say(Text) ->
    io:put_chars([Text, $\n]).
