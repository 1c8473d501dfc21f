%% What the machine does in the tests of tests/tests/secure.rs. The tests give commands in the kernel command line and read the console.
-module(trapless_secure_test).
-export([serve/0, client/3, ssh_client/4]).

-include_lib("public_key/include/public_key.hrl").

-define(TLS, 4433).
-define(MUTUAL, 4434).

%% A certificate authority that exists for this run only, and with it two TLS servers: one for everybody, and one for those whom the
%% same authority vouches for. What a client needs is printed.
serve() ->
    {ok, _} = application:ensure_all_started(ssl),
    ok = trapless_secure_vectors:check(),
    io:format("=vectors~n"),
    #{server_config := Server, client_config := Client} = identities(),
    show("authority", [{'Certificate', Certificate} || Certificate <- proplists:get_value(cacerts, Client)]),
    show("client", [{'Certificate', proplists:get_value(cert, Client)}, proplists:get_value(key, Client)]),
    show("server", [{'Certificate', proplists:get_value(cert, Server)}, proplists:get_value(key, Server)]),
    persistent_term:put(?MODULE, Client),
    listen(?TLS, [{session_tickets, stateless} | Server]),
    listen(?MUTUAL, [{verify, verify_peer}, {fail_if_no_peer_cert, true} | Server]),
    io:format("=serving~n").

identities() ->
    %% By default they are signed over SHA-1, which OpenSSL refuses.
    Options = [{key, {namedCurve, secp256r1}}, {digest, sha256}],
    Names = #'Extension'{extnID = ?'id-ce-subjectAltName', critical = false, extnValue = [{dNSName, "localhost"}]},
    public_key:pkix_test_data(#{
        server_chain => #{root => Options, intermediates => [], peer => [{extensions, [Names]} | Options]},
        client_chain => #{root => Options, intermediates => [], peer => Options}}).

show(Name, Entries) ->
    Pem = public_key:pem_encode([{Type, Der, not_encrypted} || {Type, Der} <- Entries]),
    io:format("=begin ~ts~n~ts=end ~ts~n", [Name, Pem, Name]).

%% Answers one line on each connection with what it says and how it came.
listen(Port, Options) ->
    Caller = self(),
    %% Whoever listens has to live on.
    Pid = spawn_link(fun() ->
        {ok, Listener} = ssl:listen(Port, [binary, {active, false}, {packet, line}, {reuseaddr, true} | Options]),
        Caller ! {self(), listens},
        accept(Listener)
    end),
    receive {Pid, listens} -> unlink(Pid) end.

accept(Listener) ->
    {ok, Transport} = ssl:transport_accept(Listener),
    Pid = spawn(fun() -> receive go -> answer(Transport) end end),
    ok = ssl:controlling_process(Transport, Pid),
    Pid ! go,
    accept(Listener).

answer(Transport) ->
    case ssl:handshake(Transport) of
        {ok, Socket} ->
            {ok, Line} = ssl:recv(Socket, 0),
            {ok, [{protocol, Version}]} = ssl:connection_information(Socket, [protocol]),
            Peer = case ssl:peercert(Socket) of {ok, _} -> "known"; {error, no_peercert} -> "unknown" end,
            ok = ssl:send(Socket, [io_lib:format("~ts ~ts ", [Version, Peer]), Line]),
            ssl:close(Socket);
        {error, Reason} ->
            io:format("=refused ~0p~n", [Reason])
    end.

%% Connects to a server on the host with what serve/0 made, and sends a line that comes back turned around. Without `known` the authority is
%% another than the server's.
client(Port, Version, Authority) ->
    Known = persistent_term:get(?MODULE),
    #{client_config := Other} = identities(),
    Cacerts = case Authority of known -> Known; unknown -> Other end,
    Options = [{versions, [Version]}, {verify, verify_peer}, {server_name_indication, "localhost"}, {active, false}, binary,
               {packet, line}, {cacerts, proplists:get_value(cacerts, Cacerts)}, {cert, proplists:get_value(cert, Known)},
               {key, proplists:get_value(key, Known)}],
    case ssl:connect({10, 0, 2, 2}, Port, Options, 60000) of
        {ok, Socket} ->
            ok = ssl:send(Socket, "desserts\n"),
            {ok, Back} = ssl:recv(Socket, 0, 60000),
            ssl:close(Socket),
            io:format("=client ~ts ~ts~n", [Version, string:trim(Back)]);
        {error, {tls_alert, {Alert, _}}} ->
            io:format("=client ~ts ~ts~n", [Version, Alert])
    end.

%% Logs in at the host's SSH server with a key, checks the server's, and runs a command there.
ssh_client(Port, User, Key, HostKeys) ->
    {ok, _} = application:ensure_all_started(ssh),
    Folder = "/tmp/ssh",
    ok = filelib:ensure_path(Folder),
    ok = file:write_file(filename:join(Folder, "id_ed25519"), Key),
    ok = file:write_file(filename:join(Folder, "known_hosts"), HostKeys),
    {ok, Connection} = ssh:connect({10, 0, 2, 2}, Port, [
        {user, User}, {user_dir, Folder}, {silently_accept_hosts, false}, {user_interaction, false}, {auth_methods, "publickey"}]),
    {ok, Channel} = ssh_connection:session_channel(Connection, 60000),
    success = ssh_connection:exec(Connection, Channel, "echo answer $((6 * 7))", 60000),
    receive {ssh_cm, Connection, {data, Channel, 0, Said}} -> io:format("=ssh ~ts~n", [string:trim(Said)]) after 60000 -> error(timeout) end,
    ssh:close(Connection).
