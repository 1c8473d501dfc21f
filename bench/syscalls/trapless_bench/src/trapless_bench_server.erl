%% An echo server and an HTTP server, for clients on the host.
-module(trapless_bench_server).
-export([start/2, echo/1]).

-define(ACCEPTORS, 8).

start(EchoPort, HttpPort) ->
    Accepted = counters:new(1, []),
    listen(EchoPort, fun echo/1),
    listen(HttpPort, fun(Socket) ->
        counters:add(Accepted, 1, 1),
        http(Socket, Accepted)
    end).

%% The listening socket belongs to a process that stays.
listen(Port, Serve) ->
    Self = self(),
    spawn(fun() ->
        {ok, Listener} = gen_tcp:listen(Port, [binary, {active, false}, {reuseaddr, true}, {nodelay, true}, {backlog, 512}]),
        [spawn_link(fun() -> accept(Listener, Serve) end) || _ <- lists:seq(1, ?ACCEPTORS)],
        Self ! {listening, Port},
        receive stop -> ok end
    end),
    receive {listening, Port} -> ok end.

accept(Listener, Serve) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Server = spawn(fun() -> receive go -> Serve(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Server),
    Server ! go,
    accept(Listener, Serve).

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Bytes} -> ok = gen_tcp:send(Socket, Bytes), echo(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.

%% Answers each request of a kept connection. Nobody sends requests in advance or in pieces here.
http(Socket, Accepted) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Request} ->
            case gen_tcp:send(Socket, answer(Request, Accepted)) of
                ok -> http(Socket, Accepted);
                {error, _} -> gen_tcp:close(Socket)
            end;
        {error, _} ->
            gen_tcp:close(Socket)
    end.

answer(<<"GET /calls ", _/binary>>, _) ->
    with_head(trapless_bench_calls:to_text(trapless_bench_calls:read()));
answer(<<"GET /accepted ", _/binary>>, Accepted) ->
    with_head(integer_to_list(counters:get(Accepted, 1)));
answer(_, _) ->
    with_head(<<"hello\n">>).

with_head(Body) ->
    ["HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", integer_to_list(iolist_size(Body)), "\r\n\r\n", Body].
