%% Keeps this node connected to others: those of a list, and those at the addresses of a name in DNS, asked again at an interval. What
%% is connected stays so when a name no longer leads to it. `-s trapless_cluster` starts it.
%%
%%   nodes     nodes to connect to, ['b@10.9.0.2']
%%   dns       a name whose addresses (of the kind that distribution uses here: A, or AAAA with inet6) are those of nodes
%%   name      what stands before the @ in the names of those nodes; own: as in this node's name
%%   interval  seconds between two looks
-module(trapless_cluster).
-behaviour(application).
-behaviour(supervisor).
-export([start/0, start/2, stop/1, init/1, look_again/1]).

-spec start() -> ok.
start() ->
    {ok, _} = application:ensure_all_started(trapless_cluster, permanent),
    ok.

start(_Type, _Arguments) ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, maps:from_list(application:get_all_env())).

stop(_State) ->
    ok.

init(Settings) ->
    Start = {proc_lib, start_link, [?MODULE, look_again, [Settings]]},
    {ok, {#{}, [#{id => seeker, start => Start}]}}.

look_again(Settings) ->
    proc_lib:init_ack({ok, self()}),
    look(Settings, found).

%% Told of the network's silence once, and not at every look.
look(#{interval := Interval} = Settings, Before) ->
    {Addressed, Now} = by_dns(Settings, Before),
    Wanted = lists:usort(maps:get(nodes, Settings) ++ Addressed) -- [node() | nodes(connected)],
    [receive {'DOWN', Monitor, process, _, _} -> ok end || Monitor <- [connect(Node) || Node <- Wanted]],
    timer:sleep(Interval * 1000),
    look(Settings, Now).

%% All at once: each may take as long as net_kernel waits for a node.
connect(Node) ->
    {_, Monitor} = spawn_monitor(fun() ->
        case net_kernel:connect_node(Node) of
            true -> logger:notice("connected to ~ts", [Node]);
            _ -> ok
        end
    end),
    Monitor.

by_dns(#{dns := none}, Before) ->
    {[], Before};
by_dns(#{dns := Name, name := Prefix}, Before) ->
    case {inet_res:resolve(Name, in, record()), Before} of
        {{ok, Message}, _} ->
            Answers = [inet_dns:rr(Record) || Record <- inet_dns:msg(Message, anlist)],
            Addresses = [proplists:get_value(data, Answer) || Answer <- Answers, proplists:get_value(type, Answer) =:= record()],
            {[named(Prefix, Address) || Address <- Addresses], found};
        {{error, Reason}, found} ->
            logger:warning("no addresses of ~ts: ~tp", [Name, Reason]),
            {[], lost};
        {{error, _}, lost} ->
            {[], lost}
    end.

named(own, Address) ->
    [Prefix | _] = string:split(atom_to_list(node()), "@"),
    named(Prefix, Address);
named(Prefix, Address) ->
    list_to_atom(lists:concat([Prefix, "@", inet:ntoa(Address)])).

record() ->
    case init:get_argument(proto_dist) of
        {ok, [["inet6" ++ _ | _] | _]} -> aaaa;
        _ -> a
    end.
