%% Owns the listening socket, and says on the console that it listens.
-module(trapless_echo_listener).
-behaviour(gen_server).
-export([start_link/0, socket/0]).
-export([init/1, handle_call/3, handle_cast/2]).

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% The listening socket, for an acceptor.
-spec socket() -> gen_tcp:socket().
socket() ->
    gen_server:call(?MODULE, socket).

init([]) ->
    {ok, Port} = application:get_env(trapless_echo, port),
    {ok, Backlog} = application:get_env(trapless_echo, backlog),
    %% exit_on_close: the peer may stop sending and still wait for the rest of its echo.
    %% send_timeout: a peer that vanished with its window closed must not hold a process for ever.
    Options = [binary, {active, false}, {backlog, Backlog}, {reuseaddr, true}, {nodelay, true}, {keepalive, true},
               {exit_on_close, false}, {send_timeout, 60000}, {send_timeout_close, true}],
    case gen_tcp:listen(Port, Options) of
        {ok, Socket} ->
            announce(Port),
            {ok, Socket};
        {error, Reason} ->
            {stop, {cannot_listen, Port, Reason}}
    end.

handle_call(socket, _From, Socket) ->
    {reply, Socket, Socket}.

handle_cast(_Message, Socket) ->
    {noreply, Socket}.

announce(Port) ->
    Number = integer_to_list(Port),
    io:put_chars(user, ["Trapless: Erlang/OTP ", erlang:system_info(otp_release), " on ",
                        cpus(erlang:system_info(schedulers_online)), ", listening on port ", Number,
                        ". Try: echo hi | nc -q1 localhost ", Number, "\n"]).

cpus(1) -> "1 CPU";
cpus(N) -> [integer_to_list(N), " CPUs"].
