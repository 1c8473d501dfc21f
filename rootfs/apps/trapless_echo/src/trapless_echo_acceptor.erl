%% Accepts connections for ever; each one gets a process of its own that nobody depends on.
-module(trapless_echo_acceptor).
-export([start_link/0, init/0, echo/0]).

start_link() ->
    {ok, proc_lib:spawn_link(?MODULE, init, [])}.

init() ->
    accept(trapless_echo_listener:socket()).

accept(Listener) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} -> hand_over(Socket);
        {error, closed} -> exit(listener_closed);
        %% The client has gone again, or there is no memory for it just now: the next one may have more luck.
        {error, econnaborted} -> ok;
        {error, _Reason} -> receive after 100 -> ok end
    end,
    accept(Listener).

hand_over(Socket) ->
    Process = spawn(?MODULE, echo, []),
    case gen_tcp:controlling_process(Socket, Process) of
        ok -> Process ! {serve, Socket};
        {error, _Closed} -> exit(Process, kill)
    end.

%% Sends back what comes in, until the peer stops sending or goes away.
echo() ->
    receive {serve, Socket} -> echo(Socket) end.

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} ->
            case gen_tcp:send(Socket, Data) of
                ok -> echo(Socket);
                {error, _Gone} -> gen_tcp:close(Socket)
            end;
        {error, _ClosedOrGone} ->
            gen_tcp:close(Socket)
    end.
