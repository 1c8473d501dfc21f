%% An application that tells what it was given, line by line.
-module(demo).
-behaviour(application).
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).

start(_, _) ->
    {ok, Data} = file:read_file(filename:join(code:priv_dir(demo), "data.txt")),
    say("greeting ~p number ~p", [element(2, application:get_env(demo, Key)) || Key <- [greeting, number]]),
    say("env ~p ~p", [os:getenv("DEMO_A"), os:getenv("DEMO_B")]),
    say("arguments ~p", [init:get_argument(given)]),
    say("node ~p cookie ~p", [node(), erlang:get_cookie()]),
    say("mode ~p limit ~p", [code:get_mode(), erlang:system_info(process_limit)]),
    say("priv ~s", [string:trim(Data)]),
    say("overlay ~p", [file:read_file("/etc/demo.conf")]),
    say("running ~p", [lists:sort([Name || {Name, _, _} <- application:which_applications()] ++ [demo])]),
    say("done", []),
    _ = [halt(Status) || {ok, [[Text]]} <- [init:get_argument(demo_halt)], Status <- [list_to_integer(Text)]],
    supervisor:start_link(?MODULE, []).

stop(_) -> ok.

init([]) -> {ok, {#{}, []}}.

say(Format, Arguments) -> io:format("=" ++ Format ++ "~n", Arguments).
