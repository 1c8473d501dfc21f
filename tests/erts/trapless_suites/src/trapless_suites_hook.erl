%% A hook of Common Test that leaves out the cases an earlier run has got through: all up to one, which is named.
-module(trapless_suites_hook).
-export([init/2, pre_init_per_testcase/4, is_left_out/1]).

-define(LEFT_OUT, left_out_by_trapless_suites).

%% Behind the hooks of suites, which do not expect that a case is left out.
-define(PRIORITY, 1000).

%% The state: the path of the last case to leave out, or `go` once it is behind.
init(_Id, "") -> {ok, go, ?PRIORITY};
init(_Id, Last) -> {ok, Last, ?PRIORITY}.

pre_init_per_testcase(_Suite, _Case, Config, go) ->
    {Config, go};
pre_init_per_testcase(_Suite, Case, Config, Last) ->
    Groups = [proplists:get_value(tc_group_properties, Config, []) | proplists:get_value(tc_group_path, Config, [])],
    Names = [proplists:get_value(name, Group) || Group <- lists:reverse(Groups), Group =/= []],
    Path = lists:flatten(lists:join($/, [atom_to_list(Name) || Name <- Names ++ [Case]])),
    {{skip, ?LEFT_OUT}, case Path of Last -> go; _ -> Last end}.

%% Whether this is the result of a case that was left out.
is_left_out({skipped, Reason}) -> is_left_out(Reason);
is_left_out({_, Reason}) -> is_left_out(Reason);
is_left_out({_, _, Reason}) -> is_left_out(Reason);
is_left_out(Reason) -> Reason =:= ?LEFT_OUT.
