%% A handler of logger that sends events to a syslog server, one datagram each (RFC 5424, RFC 5426). `-s trapless_syslog` starts it.
%%
%%   server    its address or its name
%%   port      its port
%%   facility  what kind of program logs, 0 to 23; 16 is local0
%%   level     events that are less severe are not sent
%%
%% A datagram that cannot be sent is lost, as are all that get lost on their way.
-module(trapless_syslog).
-behaviour(application).
-behaviour(supervisor).
-export([start/0, start/2, stop/1, init/1, open/1]).
-export([log/2]).

%% Octets of a datagram that every server takes (RFC 5426, 3.2).
-define(LARGEST, 1180).
%% What stands for a field that is not known.
-define(NIL, "-").

-spec start() -> ok.
start() ->
    {ok, _} = application:ensure_all_started(trapless_syslog, permanent),
    ok.

start(_Type, _Arguments) ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, maps:from_list(application:get_all_env())).

stop(_State) ->
    ok.

init(Settings) ->
    {ok, {#{}, [#{id => sender, start => {proc_lib, start_link, [?MODULE, open, [Settings]]}}]}}.

%% The process that owns the socket, for as long as the handler is there. Whoever logs sends by itself.
open(#{server := none}) ->
    proc_lib:init_fail({error, "no server is given: -trapless_syslog server '\"10.0.2.2\"'"}, {exit, normal});
open(#{server := Server, port := Port, facility := Facility, level := Level}) ->
    case address(Server) of
        {ok, Family, Address} ->
            {ok, Socket} = gen_udp:open(0, [Family, binary, {active, false}]),
            Config = #{socket => Socket, to => {Address, Port}, facility => Facility},
            _ = logger:remove_handler(?MODULE),
            ok = logger:add_handler(?MODULE, ?MODULE, #{level => Level, config => Config}),
            proc_lib:init_ack({ok, self()}),
            receive stop -> ok end;
        {error, Reason} ->
            proc_lib:init_fail({error, {Server, inet:format_error(Reason)}}, {exit, normal})
    end.

address(Server) ->
    case inet:getaddr(Server, inet) of
        {ok, Address} -> {ok, inet, Address};
        {error, _} ->
            case inet:getaddr(Server, inet6) of
                {ok, Address} -> {ok, inet6, Address};
                Error -> Error
            end
    end.

%% The handler, called by the process that logs.
-spec log(logger:log_event(), map()) -> ok.
log(#{level := Level, meta := Meta} = Event, #{config := #{socket := Socket, to := To, facility := Facility}}) ->
    Text = logger_formatter:format(Event, #{single_line => true, template => [msg]}),
    Message = [$<, integer_to_list(Facility * 8 + severity(Level)), ">1 ",
               lists:join($\s, [time(Meta), host(), "erlang", os:getpid(), ?NIL, structured(Meta)]), $\s,
               %% Text in UTF-8 says so.
               <<16#ef, 16#bb, 16#bf>>, unicode:characters_to_binary(Text)],
    _ = gen_udp:send(Socket, To, shortened(iolist_to_binary(Message))),
    ok.

%% Table 2 of RFC 5424, whose names logger has.
severity(emergency) -> 0;
severity(alert) -> 1;
severity(critical) -> 2;
severity(error) -> 3;
severity(warning) -> 4;
severity(notice) -> 5;
severity(info) -> 6;
severity(debug) -> 7.

time(#{time := Time}) ->
    calendar:system_time_to_rfc3339(Time, [{unit, microsecond}, {offset, "Z"}]).

host() ->
    {ok, Name} = inet:gethostname(),
    case inet_db:res_option(domain) of
        "" -> Name;
        Domain -> [Name, $., Domain]
    end.

%% The node and the process, as parameters of an element with an example's number (RFC 5612).
structured(#{pid := Process}) ->
    ["[erlang@32473 node=\"", parameter(atom_to_list(node())), "\" process=\"", parameter(pid_to_list(Process)), "\"]"];
structured(_) ->
    ?NIL.

parameter(Value) ->
    [case lists:member(C, "\"\\]") of true -> [$\\, C]; false -> C end || C <- Value].

%% Cut where a character ends.
shortened(Message) when byte_size(Message) =< ?LARGEST -> Message;
shortened(<<Message:?LARGEST/binary, Rest/binary>>) -> cut(Message, Rest).

cut(Message, <<2#10:2, _:6, _/binary>>) ->
    Size = byte_size(Message) - 1,
    <<Shorter:Size/binary, Last/binary>> = Message,
    cut(Shorter, Last);
cut(Message, _) ->
    Message.
