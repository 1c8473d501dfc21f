%% TCP servers: each connection has a process of its own, which takes raw bytes as binaries.
-module(trapless_net_tcp).
-export([listen/2, echo/1, http/1, source/1, sink/1, wide_sink/1]).

-define(ACCEPTORS, 8).
%% As many as come at once; Linux takes no more by default (net.core.somaxconn).
-define(BACKLOG, 4096).
%% What one call hands to the system in a bulk transfer, or takes from it at most.
-define(CHUNK, 65536).

%% Serves each connection to `Port` by `Serve`. The listening socket belongs to a process that stays.
listen(Port, Serve) ->
    Self = self(),
    spawn(fun() ->
        {ok, Listener} = gen_tcp:listen(Port, [binary, {packet, raw}, {active, false}, {reuseaddr, true}, {nodelay, true},
                                               {backlog, ?BACKLOG}]),
        [spawn_link(fun() -> accept(Listener, Serve) end) || _ <- lists:seq(1, ?ACCEPTORS)],
        Self ! {listening, Port},
        receive stop -> ok end
    end),
    receive {listening, Port} -> ok end.

accept(Listener, Serve) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} ->
            Server = spawn(fun() -> receive go -> Serve(Socket) end end),
            case gen_tcp:controlling_process(Socket, Server) of
                ok -> Server ! go;
                {error, _} -> exit(Server, kill)
            end;
        {error, Reason} ->
            %% Whoever measures sees that a connection is missing, and here is why. A reason such as enomem may pass.
            io:format("accept: ~p~n", [Reason]),
            timer:sleep(100)
    end,
    accept(Listener, Serve).

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Bytes} -> sent(gen_tcp:send(Socket, Bytes), Socket, fun echo/1);
        {error, _} -> gen_tcp:close(Socket)
    end.

%% Answers a request of one piece; nobody sends others here.
http(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Request} ->
            {Answer, Then} = answer(Request),
            sent(gen_tcp:send(Socket, Answer), Socket, Then);
        {error, _} ->
            gen_tcp:close(Socket)
    end.

answer(<<"GET /memory ", _/binary>>) ->
    {ok, Text} = file:read_file("/proc/meminfo"),
    {with_head([], Text), fun http/1};
answer(<<"GET /close ", _/binary>>) ->
    {with_head("Connection: close\r\n", <<"hello\n">>), fun gen_tcp:close/1};
answer(_) ->
    {with_head([], <<"hello\n">>), fun http/1}.

with_head(Fields, Body) ->
    ["HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", Fields,
     "Content-Length: ", integer_to_list(iolist_size(Body)), "\r\n\r\n", Body].

%% Sends until nobody reads any more.
source(Socket) ->
    send_on(Socket, binary:copy(<<"x">>, ?CHUNK)).

send_on(Socket, Chunk) ->
    sent(gen_tcp:send(Socket, Chunk), Socket, fun(_) -> send_on(Socket, Chunk) end).

%% Takes all there is, and then says how many bytes that was.
sink(Socket) ->
    %% The other side ends its half; this one is still needed.
    ok = inet:setopts(Socket, [{exit_on_close, false}]),
    sink(Socket, 0).

%% As a program does that expects much: Erlang takes 1,460 bytes at a time if nobody says more.
wide_sink(Socket) ->
    ok = inet:setopts(Socket, [{buffer, ?CHUNK}]),
    sink(Socket).

sink(Socket, Taken) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Bytes} ->
            sink(Socket, Taken + byte_size(Bytes));
        {error, _} ->
            _ = gen_tcp:send(Socket, <<Taken:64>>),
            gen_tcp:close(Socket)
    end.

sent(ok, Socket, Then) -> Then(Socket);
sent({error, _}, Socket, _) -> gen_tcp:close(Socket).
