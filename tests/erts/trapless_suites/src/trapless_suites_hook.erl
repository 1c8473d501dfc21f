%% A hook of Common Test that says what begins (`@@ start SUITE GROUPS/CASE`) and what has prepared or cleaned up (`@@ done SUITE
%% GROUPS/init_per_group`), and leaves out what an earlier run has got through, and what OTP leaves out of its own runs.
-module(trapless_suites_hook).
-export([prepare/0, path/2, is_left_out/1]).
-export([init/2, pre_init_per_suite/3, post_init_per_suite/4, pre_end_per_suite/3, post_end_per_suite/4,
         pre_init_per_group/4, post_init_per_group/5, pre_end_per_group/4, post_end_per_group/5, pre_init_per_testcase/4]).

-define(LEFT_OUT, left_out_by_trapless_suites).

%% Behind the hooks of suites, which do not expect that a case is left out.
-define(PRIORITY, 1000).

%% To be called by a process that lives as long as the run: it owns the table of the paths of running cases.
prepare() ->
    ?MODULE = ets:new(?MODULE, [named_table, public]),
    ok.

%% The groups and the name of a case that has begun.
path(Suite, Case) ->
    case ets:lookup(?MODULE, {Suite, Case}) of
        [{_, Path}] -> {ok, Path};
        [] -> error
    end.

%% The state: the paths of what is left out, and OTP's specification of its run (`skip_suites` and others). A group is left out when what
%% prepares it or cleans up behind it is.
init(_Id, {File, Specification}) ->
    Lines = case file:read_file(File) of {ok, Text} -> binary:split(Text, <<"\n">>, [global, trim_all]); {error, enoent} -> [] end,
    Terms = case file:consult(Specification) of {ok, Found} -> Found; {error, enoent} -> [] end,
    {ok, {maps:from_keys([unicode:characters_to_list(Line) || Line <- Lines], true), Terms}, ?PRIORITY}.

pre_init_per_suite(Suite, Config, {_, Terms} = State) ->
    case [left_out || {skip_suites, _, Suites, _} <- Terms, is_among(Suite, Suites)] of
        [] ->
            print(start, Suite, "init_per_suite"),
            {Config, State};
        _ ->
            {{skip, ?LEFT_OUT}, State}
    end.

post_init_per_suite(Suite, _Config, Return, State) ->
    print(done, Suite, "init_per_suite"),
    {Return, State}.

pre_end_per_suite(Suite, Config, State) ->
    print(start, Suite, "end_per_suite"),
    {Config, State}.

post_end_per_suite(Suite, _Config, Return, State) ->
    print(done, Suite, "end_per_suite"),
    {Return, State}.

pre_init_per_group(Suite, Group, Config, {LeftOut, Terms} = State) when is_list(Config) ->
    Around = [in_groups(Function, Config) || Function <- [init_per_group, end_per_group]],
    case [left_out || Path <- Around, is_map_key(Path, LeftOut)]
        ++ [left_out || {skip_groups, _, Of, Groups, _} <- Terms, Of =:= Suite, is_among(Group, Groups)] of
        [] ->
            print(start, Suite, hd(Around)),
            {Config, State};
        _ ->
            {{skip, ?LEFT_OUT}, State}
    end;
pre_init_per_group(_Suite, _Group, Skipped, State) ->
    {Skipped, State}.

post_init_per_group(Suite, _Group, Config, Return, State) ->
    print(done, Suite, in_groups(init_per_group, Config)),
    {Return, State}.

pre_end_per_group(Suite, _Group, Config, State) ->
    print(start, Suite, in_groups(end_per_group, Config)),
    {Config, State}.

post_end_per_group(Suite, _Group, Config, Return, State) ->
    print(done, Suite, in_groups(end_per_group, Config)),
    {Return, State}.

pre_init_per_testcase(Suite, Case, Config, {LeftOut, Terms} = State) when is_list(Config) ->
    Path = in_groups(Case, Config),
    case [left_out || is_map_key(Path, LeftOut)]
        ++ [left_out || {skip_cases, _, Of, Cases, _} <- Terms, Of =:= Suite, is_among(Case, Cases)] of
        [] ->
            true = ets:insert(?MODULE, {{Suite, Case}, Path}),
            print(start, Suite, Path),
            {Config, State};
        _ ->
            {{skip, ?LEFT_OUT}, State}
    end;
pre_init_per_testcase(_Suite, _Case, Skipped, State) ->
    {Skipped, State}.

is_among(Name, Names) -> Names =:= all orelse Name =:= Names orelse is_list(Names) andalso lists:member(Name, Names).

%% Whether this is the result of what was left out.
is_left_out({skipped, Reason}) -> is_left_out(Reason);
is_left_out({_, Reason}) -> is_left_out(Reason);
is_left_out({_, _, Reason}) -> is_left_out(Reason);
is_left_out(Reason) -> Reason =:= ?LEFT_OUT.

in_groups(Function, Config) ->
    Groups = [proplists:get_value(tc_group_properties, Config, []) | proplists:get_value(tc_group_path, Config, [])],
    Names = [proplists:get_value(name, Group) || Group <- lists:reverse(Groups), Group =/= []],
    lists:flatten(lists:join($/, [atom_to_list(Name) || Name <- Names ++ [Function]])).

print(What, Suite, Path) ->
    io:format(user, "@@ ~s ~s ~ts~n", [What, Suite, Path]).
