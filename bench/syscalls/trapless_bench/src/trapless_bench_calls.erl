%% System calls as the image counts them, in /proc/trapless/syscalls.
-module(trapless_bench_calls).
-export([read/0, difference/2, to_text/1]).

%% Counts by name; `not_counted` where the system has no such file.
read() ->
    case file:read_file("/proc/trapless/syscalls") of
        {ok, Text} -> maps:from_list(lists:flatmap(fun row/1, binary:split(Text, <<"\n">>, [global])));
        {error, _} -> not_counted
    end.

%% A row begins with the name and the number of calls.
row(Line) ->
    case string:lexemes(Line, " \t") of
        [Name, Count | _] ->
            try [{Name, binary_to_integer(Count)}] catch error:badarg -> [] end;
        _ -> []
    end.

%% What was called between two readings, most often first.
difference(Before, After) when is_map(Before), is_map(After) ->
    Calls = [{Name, Count - maps:get(Name, Before, 0)} || {Name, Count} <- maps:to_list(After)],
    lists:reverse(lists:keysort(2, [Call || {_, Count} = Call <- Calls, Count > 0]));
difference(_, _) ->
    not_counted.

%% `NAME=COUNT` for each, one a line.
to_text(not_counted) ->
    [];
to_text(Calls) ->
    [[Name, $=, integer_to_list(Count), $\n] || {Name, Count} <- lists:sort(maps:to_list(Calls))].
