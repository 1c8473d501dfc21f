%% Prints what Common Test reports as results: `@@ ok|skipped|failed SUITE GROUPS/CASE REASON`.
-module(trapless_suites_events).
-behaviour(gen_event).
-export([init/1, handle_event/2, handle_call/2]).
-include_lib("common_test/include/ct_event.hrl").

%% The state: the groups that are open, innermost first.
init(_Arguments) ->
    {ok, []}.

handle_event(#event{name = tc_done, data = {Suite, Function, Result}}, Groups) ->
    print(Suite, Function, Result, Groups),
    {ok, groups(Function, Groups)};
handle_event(#event{name = Skip, data = {Suite, Function, Reason}}, Groups)
  when Skip =:= tc_user_skip; Skip =:= tc_auto_skip ->
    print(Suite, Function, {skipped, Reason}, Groups),
    {ok, groups(Function, Groups)};
handle_event(_, Groups) ->
    {ok, Groups}.

handle_call(_, Groups) ->
    {ok, ok, Groups}.

groups({init_per_group, Name, _}, Groups) -> [Name | Groups];
groups({end_per_group, Name, _}, [Name | Groups]) -> Groups;
%% What is skipped is named without its properties.
groups({end_per_group, Name}, [Name | Groups]) -> Groups;
groups(_, Groups) -> Groups.

%% What only prepares or cleans up is worth a line when it goes wrong.
print(_, Function, ok, _) when element(1, Function) =:= init_per_group; element(1, Function) =:= end_per_group -> ok;
print(_, Function, ok, _) when Function =:= init_per_suite; Function =:= end_per_suite -> ok;
print(Suite, Function, Result, Groups) ->
    case trapless_suites_hook:is_left_out(Result) of
        true ->
            ok;
        false ->
            {Verdict, Reason} = verdict(Result),
            io:format(user, "@@ ~s ~s ~ts ~ts~n", [Verdict, Suite, path(Suite, Function, Groups), Reason])
    end.

%% Cases of a parallel group end while other groups are open; what has begun knows its own.
path(Suite, Function, Groups) when is_atom(Function) ->
    case trapless_suites_hook:path(Suite, Function) of
        {ok, Path} -> Path;
        error -> in_groups(Function, Groups)
    end;
path(_Suite, {init_per_group, Name, _}, Groups) -> in_groups(init_per_group, [Name | Groups]);
path(_Suite, {Name, _Group}, Groups) when is_atom(Name) -> in_groups(Name, Groups);
path(_Suite, {Name, _Group, _Properties}, Groups) -> in_groups(Name, Groups).

in_groups(Name, Groups) ->
    lists:join($/, [atom_to_list(Group) || Group <- lists:reverse([Name | Groups])]).

verdict(ok) -> {"ok", ""};
verdict({failed, Reason}) -> {"failed", line(Reason)};
verdict({skipped, Reason}) -> {"skipped", line(Reason)};
verdict({auto_skipped, Reason}) -> {"skipped", line(Reason)};
verdict({error, Reason}) -> {"failed", line(Reason)};
verdict(Other) -> {"failed", line(Other)}.

%% One line of bounded length; the depth keeps a large term from being written at all.
line(Reason) ->
    Text = unicode:characters_to_list(io_lib:format("~0tP", [Reason, 30])),
    lists:sublist([case C of $\n -> $\s; _ -> C end || C <- Text], 300).
