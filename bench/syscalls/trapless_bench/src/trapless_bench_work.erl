%% What is measured inside: each work has a name, and functions that prepare it, perform it N times, and tidy up.
-module(trapless_bench_work).
-export([all/0]).

-define(FILE_BYTES, 1048576).
-define(RING, 100).

all() ->
    [{"os_timestamp", fun none/0, loop(fun() -> os:timestamp() end), fun none/1},
     {"monotonic_time", fun none/0, loop(fun() -> erlang:monotonic_time() end), fun none/1},
     {"file_read_1", fun open_file/0, reads(1), fun close_file/1},
     {"file_read_64k", fun open_file/0, reads(65536), fun close_file/1},
     {"message_ring", fun open_ring/0, fun ring/2, fun close_ring/1},
     {"spawn", fun none/0, loop(fun spawn_one/0), fun none/1},
     {"ets", fun open_table/0, fun table/2, fun ets:delete/1},
     {"tcp_loopback", fun open_tcp/0, fun tcp/2, fun close_tcp/1}].

none() -> ok.
none(_) -> ok.

loop(Fun) ->
    fun(_, N) -> repeat(Fun, N) end.

repeat(_, 0) -> ok;
repeat(Fun, N) -> Fun(), repeat(Fun, N - 1).

%% A file in memory, on every system.
open_file() ->
    Name = "/tmp/trapless_bench_" ++ integer_to_list(erlang:unique_integer([positive])),
    ok = file:write_file(Name, binary:copy(<<"x">>, ?FILE_BYTES)),
    {ok, File} = file:open(Name, [read, raw, binary]),
    {Name, File}.

close_file({Name, File}) ->
    ok = file:close(File),
    ok = file:delete(Name).

reads(Size) ->
    fun({_, File}, N) -> read(File, Size, N) end.

%% At the end it goes back to the beginning; with one byte a read that is hardly ever.
read(_, _, 0) ->
    ok;
read(File, Size, N) ->
    case file:read(File, Size) of
        {ok, _} -> ok;
        eof -> {ok, 0} = file:position(File, 0)
    end,
    read(File, Size, N - 1).

%% An operation is one hop.
open_ring() ->
    Self = self(),
    lists:foldl(fun(_, Next) -> spawn_link(fun() -> pass(Next) end) end, Self, lists:seq(1, ?RING - 1)).

pass(Next) ->
    receive
        stop -> Next ! stop;
        Left -> Next ! Left - 1, pass(Next)
    end.

ring(First, N) ->
    First ! N,
    around(First).

around(First) ->
    receive
        Left when Left =< 0 -> ok;
        Left -> First ! Left - 1, around(First)
    end.

close_ring(First) ->
    First ! stop,
    receive stop -> ok end.

spawn_one() ->
    {Process, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, Process, normal} -> ok end.

open_table() ->
    ets:new(table, [public, set]).

table(_, 0) ->
    ok;
table(Table, N) ->
    ets:insert(Table, {N band 1023, N}),
    [{_, N}] = ets:lookup(Table, N band 1023),
    table(Table, N - 1).

%% 64 bytes there and back over the loopback interface.
open_tcp() ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}, {nodelay, true}]),
    {ok, Port} = inet:port(Listener),
    Echo = spawn_link(fun() ->
        {ok, Socket} = gen_tcp:accept(Listener),
        trapless_bench_server:echo(Socket)
    end),
    {ok, Client} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {nodelay, true}]),
    {Echo, Listener, Client}.

tcp(_, 0) ->
    ok;
tcp({_, _, Client} = State, N) ->
    ok = gen_tcp:send(Client, <<0:512>>),
    {ok, _} = gen_tcp:recv(Client, 64),
    tcp(State, N - 1).

close_tcp({_, Listener, Client}) ->
    gen_tcp:close(Client),
    gen_tcp:close(Listener).
