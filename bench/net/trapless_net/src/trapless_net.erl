%% Servers for clients from outside, and nothing else: started by `-s trapless_net`, they say `=serving` when they all listen.
-module(trapless_net).
-export([start/0]).

-define(ECHO, 5555).
-define(HTTP, 8080).
-define(SOURCE, 9001).
-define(SINK, 9002).
-define(WIDE_SINK, 9003).

start() ->
    trapless_net_tcp:listen(?ECHO, fun trapless_net_tcp:echo/1),
    trapless_net_tcp:listen(?HTTP, fun trapless_net_tcp:http/1),
    trapless_net_tcp:listen(?SOURCE, fun trapless_net_tcp:source/1),
    trapless_net_tcp:listen(?SINK, fun trapless_net_tcp:sink/1),
    trapless_net_tcp:listen(?WIDE_SINK, fun trapless_net_tcp:wide_sink/1),
    trapless_net_udp:start(?ECHO),
    io:put_chars("=serving\n").
