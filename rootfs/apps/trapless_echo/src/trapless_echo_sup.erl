%% One listener and its acceptors. Acceptors depend on the listener's socket, so they start after it and again with it.
-module(trapless_echo_sup).
-behaviour(supervisor).
-export([start_link/0, init/1]).

start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

init([]) ->
    {ok, Acceptors} = application:get_env(trapless_echo, acceptors),
    Listener = #{id => listener, start => {trapless_echo_listener, start_link, []}},
    Rest = [#{id => {acceptor, N}, start => {trapless_echo_acceptor, start_link, []}} || N <- lists:seq(1, Acceptors)],
    {ok, {#{strategy => rest_for_one, intensity => 5, period => 10}, [Listener | Rest]}}.
