%% Datagrams, sent back to where they came from.
-module(trapless_net_udp).
-export([start/1]).

%% Bytes that wait to be taken, where the system allows so many: a burst of the client fits in.
-define(WAITING, 1048576).

start(Port) ->
    Self = self(),
    spawn(fun() ->
        {ok, Socket} = gen_udp:open(Port, [binary, {active, false}, {recbuf, ?WAITING}]),
        Self ! {open, Port},
        echo(Socket)
    end),
    receive {open, Port} -> ok end.

echo(Socket) ->
    case gen_udp:recv(Socket, 0) of
        {ok, {Address, Port, Bytes}} -> _ = gen_udp:send(Socket, Address, Port, Bytes);
        {error, _} -> ok
    end,
    echo(Socket).
