%% The application itself, and the door for `-s trapless_echo`.
-module(trapless_echo).
-behaviour(application).
-export([start/0, start/2, stop/1]).

%% Starts the application for good: when it ends, the node ends.
-spec start() -> ok.
start() ->
    ok = application:start(trapless_echo, permanent).

start(_Type, _Arguments) ->
    trapless_echo_sup:start_link().

stop(_State) ->
    ok.
