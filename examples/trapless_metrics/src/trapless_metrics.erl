%% Serves GET /metrics, one connection after the other: whoever asks does so every few seconds. `-s trapless_metrics` starts it.
-module(trapless_metrics).
-behaviour(application).
-behaviour(supervisor).
-export([start/0, start/2, stop/1, init/1, listen/1]).

%% A client that sends nothing holds the others up no longer than this, in milliseconds.
-define(PATIENCE, 5000).

-spec start() -> ok.
start() ->
    {ok, _} = application:ensure_all_started(trapless_metrics, permanent),
    ok.

start(_Type, _Arguments) ->
    {ok, Port} = application:get_env(port),
    supervisor:start_link({local, ?MODULE}, ?MODULE, Port).

stop(_State) ->
    ok.

init(Port) ->
    {ok, {#{}, [#{id => server, start => {?MODULE, listen, [Port]}}]}}.

%% The process of the server owns the socket that listens, so that a server started anew finds the port free.
listen(Port) ->
    proc_lib:start_link(erlang, apply, [fun() -> server(Port) end, []]).

server(Port) ->
    Options = [inet6, {ipv6_v6only, false}, binary, {packet, http_bin}, {active, false}, {reuseaddr, true}],
    case gen_tcp:listen(Port, Options) of
        {ok, Listener} ->
            io:format("metrics on port ~b~n", [Port]),
            proc_lib:init_ack({ok, self()}),
            serve(Listener);
        {error, Reason} ->
            proc_lib:init_fail({error, {port, Port, inet:format_error(Reason)}}, {exit, normal})
    end.

serve(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    answer(Socket, request(Socket)),
    ok = gen_tcp:close(Socket),
    serve(Listener).

%% What is asked for, once the headers are over.
request(Socket) ->
    case gen_tcp:recv(Socket, 0, ?PATIENCE) of
        {ok, {http_request, Method, {abs_path, Path}, _Version}} -> headers(Socket, {Method, Path});
        _ -> none
    end.

headers(Socket, Request) ->
    case gen_tcp:recv(Socket, 0, ?PATIENCE) of
        {ok, http_eoh} -> Request;
        {ok, {http_header, _, _, _, _}} -> headers(Socket, Request);
        _ -> none
    end.

%% A client that is gone by now is no error.
answer(_, none) ->
    ok;
answer(Socket, {'GET', <<"/metrics">>}) ->
    reply(Socket, "200 OK", "text/plain; version=0.0.4; charset=utf-8", trapless_metrics_text:all());
answer(Socket, {'GET', _}) ->
    reply(Socket, "404 Not Found", "text/plain", "The metrics are at /metrics.\n");
answer(Socket, _) ->
    reply(Socket, "405 Method Not Allowed", "text/plain", "Only GET is understood.\n").

reply(Socket, Status, Type, Body) ->
    Length = integer_to_list(iolist_size(Body)),
    _ = gen_tcp:send(Socket, ["HTTP/1.1 ", Status, "\r\nContent-Type: ", Type, "\r\nContent-Length: ", Length,
                              "\r\nConnection: close\r\n\r\n", Body]),
    ok.
