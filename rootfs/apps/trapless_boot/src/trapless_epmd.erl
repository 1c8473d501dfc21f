%% The port mapper of this node: what the daemon epmd is to the nodes of a Linux host, as a process of the node itself.
%%
%% `-start_epmd true` makes this module the node's `-epmd_module` (libos/logic/src/layers.rs). It listens where epmd does, and answers by
%% epmd's protocol (ERTS user's guide, "Distribution Protocol"). What this node asks of the mappers of other hosts, and how it enters
%% itself into its own, is left to OTP's client.
%%
%% Nodes with the host name of this one may be on other machines: those at the addresses behind `-epmd_hosts` (docs/nodes.md).
-module(trapless_epmd).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3, listen_port_please/2,
         address_please/3, names/0, names/1]).

-define(PORT, 4369).
%% Who connects and asks nothing is left after so many milliseconds.
-define(PATIENCE, 10000).
%% How long the mappers of `-epmd_hosts` may take to answer, in milliseconds: at most addresses there may be nobody.
-define(ANSWER, 2000).
%% How long nobody is served when there is no room for one more connection, in milliseconds.
-define(PAUSE, 500).
%% The protocol version from which on a node takes a creation of 32 bits.
-define(LARGE_CREATION, 6).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    proc_lib:start_link(erlang, apply, [fun init/0, []]).

register_node(Name, Port) -> erl_epmd:register_node(Name, Port).
register_node(Name, Port, Family) -> erl_epmd:register_node(Name, Port, Family).
port_please(Name, Host) -> erl_epmd:port_please(Name, Host).
port_please(Name, Host, Timeout) -> erl_epmd:port_please(Name, Host, Timeout).
listen_port_please(Name, Host) -> erl_epmd:listen_port_please(Name, Host).
names() -> erl_epmd:names().
names(Host) -> erl_epmd:names(Host).

address_please(Name, Host, Family) ->
    case init:get_argument(epmd_hosts) of
        {ok, Hosts} when Family =:= inet ->
            case string:split(atom_to_list(node()), "@") of
                [_, Host] -> find(Name, lists:append(Hosts));
                _ -> erl_epmd:address_please(Name, Host, Family)
            end;
        _ ->
            erl_epmd:address_please(Name, Host, Family)
    end.

%% Asks all of them at once, and takes the first that knows the node.
find(Name, Hosts) ->
    Alias = alias(),
    Ask = fun(Host) ->
        {ok, Address} = inet:parse_ipv4_address(Host),
        Alias ! {Alias, Address, erl_epmd:port_please(Name, Address, ?ANSWER)}
    end,
    [spawn(fun() -> Ask(Host) end) || Host <- Hosts],
    Timer = erlang:send_after(?ANSWER, self(), {Alias, timeout}, []),
    Found = found(Alias, length(Hosts)),
    unalias(Alias),
    erlang:cancel_timer(Timer),
    (fun Flush() -> receive {Alias, _, _} -> Flush(); {Alias, timeout} -> Flush() after 0 -> ok end end)(),
    Found.

found(_, 0) ->
    {error, noport};
found(Alias, Left) ->
    receive
        {Alias, Address, {port, Port, Version}} -> {ok, Address, Port, Version};
        {Alias, _, _} -> found(Alias, Left - 1);
        {Alias, timeout} -> {error, noport}
    end.

%% The client comes second: it enters the node as soon as it is asked to.
init() ->
    Port = port(),
    Options = [inet6, {ipv6_v6only, false}, binary, {packet, 2}, {active, false}, {reuseaddr, true}, {backlog, 128}],
    case gen_tcp:listen(Port, Options) of
        {ok, Listener} ->
            ?MODULE = ets:new(?MODULE, [named_table, public]),
            {ok, _} = erl_epmd:start_link(),
            proc_lib:init_ack({ok, self()}),
            accept(Listener, Port);
        {error, Reason} ->
            proc_lib:init_fail({error, {epmd_port, Port, inet:format_error(Reason)}}, {exit, normal})
    end.

%% As OTP's client finds it.
port() ->
    case init:get_argument(epmd_port) of
        {ok, [[Port | _] | _]} -> list_to_integer(Port);
        error -> ?PORT
    end.

%% Without this process the node is none: a connection that cannot be taken is no reason to end.
accept(Listener, Port) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} ->
            Server = spawn(fun() -> receive yours -> serve(Socket, Port) after ?PATIENCE -> ok end end),
            _ = gen_tcp:controlling_process(Socket, Server),
            Server ! yours;
        {error, _} ->
            timer:sleep(?PAUSE)
    end,
    accept(Listener, Port).

serve(Socket, Port) ->
    _ = case gen_tcp:recv(Socket, 0, ?PATIENCE) of
        {ok, Request} -> inet:setopts(Socket, [{packet, raw}]), answer(Request, Socket, Port);
        {error, _} -> ok
    end,
    gen_tcp:close(Socket).

%% ALIVE2_REQ: a node is there for as long as its connection is. Only a process of this machine can be one.
answer(<<$x, Port:16, _Type, _Protocol, Highest:16, _Lowest:16, Size:16, Name:Size/binary, Rest:16, _:Rest/binary>> = Request,
       Socket, _) ->
    <<$x, Entry/binary>> = Request,
    case is_own(Socket) andalso ets:insert_new(?MODULE, {Name, Port, Entry}) of
        true ->
            _ = gen_tcp:send(Socket, entered(0, Highest)),
            _ = gen_tcp:recv(Socket, 0),
            ets:delete(?MODULE, Name);
        false ->
            gen_tcp:send(Socket, entered(1, Highest))
    end;
%% PORT_PLEASE2_REQ.
answer(<<$z, Name/binary>>, Socket, _) ->
    gen_tcp:send(Socket, case ets:lookup(?MODULE, Name) of
        [{_, _, Entry}] -> [$w, 0, Entry];
        [] -> [$w, 1]
    end);
%% NAMES_REQ.
answer(<<$n>>, Socket, Port) ->
    gen_tcp:send(Socket, [<<Port:32>> | [["name ", Name, " at port ", integer_to_list(Its), $\n]
                                         || {Name, Its, _} <- ets:tab2list(?MODULE)]]);
%% Others are for the owner of a daemon.
answer(_, _, _) ->
    ok.

%% ALIVE2_X_RESP, or ALIVE2_RESP for a node that is older. The creation tells this life of a node from its others.
entered(Result, Highest) when Highest >= ?LARGE_CREATION -> <<$v, Result, (3 + rand:uniform(16#fffffffc)):32>>;
entered(Result, _) -> <<$y, Result, (rand:uniform(3)):16>>.

is_own(Socket) ->
    case inet:peername(Socket) of
        {ok, {{127, _, _, _}, _}} -> true;
        {ok, {{0, 0, 0, 0, 0, 0, 0, 1}, _}} -> true;
        {ok, {{0, 0, 0, 0, 0, 16#ffff, Network, _}, _}} -> Network bsr 8 =:= 127;
        _ -> false
    end.
