%% Two tables of Mnesia with a copy on each of two nodes: `disc` is written to files, too, `ram` is not. One node does the steps, on itself
%% and on the other by erpc.
-module(trapless_cluster_test).
-export([replicas/1, lost/1, until/1]).
-export([create/0, join/1, start/0, forget/1, write/2, read/1]).

-define(TABLES, [disc, ram]).
%% Milliseconds that tables take at most to come from the other node, on a busy host.
-define(PATIENCE, 120000).

%% This node and the other have copies; each sees what the other writes. Then the other's Erlang starts again, with its files, and
%% finds what was written meanwhile.
-spec replicas(node()) -> ok.
replicas(Other) ->
    until(fun() -> is_up(Other) end),
    ok = create(),
    ok = write(one, 1),
    ok = erpc:call(Other, ?MODULE, join, [node()]),
    say("joined"),
    [1, 1] = erpc:call(Other, ?MODULE, read, [one]),
    ok = erpc:call(Other, ?MODULE, write, [two, 2]),
    [2, 2] = read(two),
    say("replicated"),
    ok = erpc:call(Other, application, set_env, [kernel, ?MODULE, noted]),
    ok = erpc:call(Other, init, restart, []),
    until(fun() -> running() =:= [node()] end),
    ok = write(three, 3),
    until(fun() -> is_up(Other) andalso fresh(Other) end),
    ok = erpc:call(Other, ?MODULE, start, []),
    [3, 3] = erpc:call(Other, ?MODULE, read, [three]),
    ok = erpc:call(Other, ?MODULE, write, [four, 4]),
    [4, 4] = read(four),
    say("restarted").

%% The other machine has ended, and with it its files. It is forgotten, and joins anew when it is there again.
-spec lost(node()) -> ok.
lost(Other) ->
    until(fun() -> running() =:= [node()] end),
    ok = forget(Other),
    ok = write(five, 5),
    say("forgotten"),
    until(fun() -> is_up(Other) end),
    ok = erpc:call(Other, ?MODULE, join, [node()]),
    [[N, N] = erpc:call(Other, ?MODULE, read, [Key]) || {Key, N} <- [{one, 1}, {three, 3}, {five, 5}]],
    say("returned").

%% A node answers before it has started what it starts with.
is_up(Other) ->
    net_adm:ping(Other) =:= pong andalso element(2, erpc:call(Other, init, get_status, [])) =:= started.

%% Erlang has started anew there when what was noted is gone.
fresh(Other) ->
    erpc:call(Other, application, get_env, [kernel, ?MODULE]) =:= undefined.

running() ->
    mnesia:system_info(running_db_nodes).

create() ->
    ok = mnesia:create_schema([node()]),
    ok = mnesia:start(),
    {atomic, ok} = mnesia:create_table(disc, [{disc_copies, [node()]}]),
    {atomic, ok} = mnesia:create_table(ram, [{ram_copies, [node()]}]),
    mnesia:wait_for_tables(?TABLES, ?PATIENCE).

join(Node) ->
    ok = mnesia:start(),
    {ok, [Node]} = mnesia:change_config(extra_db_nodes, [Node]),
    {atomic, ok} = mnesia:change_table_copy_type(schema, node(), disc_copies),
    {atomic, ok} = mnesia:add_table_copy(disc, node(), disc_copies),
    {atomic, ok} = mnesia:add_table_copy(ram, node(), ram_copies),
    mnesia:wait_for_tables(?TABLES, ?PATIENCE).

start() ->
    ok = mnesia:start(),
    mnesia:wait_for_tables(?TABLES, ?PATIENCE).

forget(Node) ->
    {atomic, ok} = mnesia:del_table_copy(schema, Node),
    ok.

write(Key, Value) ->
    {atomic, ok} = mnesia:transaction(fun() -> [ok, ok] = [mnesia:write({Table, Key, Value}) || Table <- ?TABLES], ok end),
    ok.

%% What each table holds.
read(Key) ->
    {atomic, Found} = mnesia:transaction(fun() -> [Value || Table <- ?TABLES, {_, _, Value} <- mnesia:read(Table, Key)] end),
    Found.

%% Whoever calls this is told by the one deadline of the test when it never comes.
-spec until(fun(() -> boolean())) -> ok.
until(Test) ->
    case catch Test() of
        true -> ok;
        _ -> timer:sleep(100), until(Test)
    end.

say(What) ->
    io:format("=~s~n", [What]).
