%% The application itself, and the door for `-s trapless_secure`. Certificate and host key are made at every start, for there is no disk.
-module(trapless_secure).
-behaviour(application).
-behaviour(supervisor).
-export([start/0, start/2, stop/1, init/1]).

-spec start() -> ok.
start() ->
    {ok, _} = application:ensure_all_started(trapless_secure, permanent),
    ok.

start(_Type, _Arguments) ->
    {ok, HttpsPort} = application:get_env(https_port),
    {ok, SshPort} = application:get_env(ssh_port),
    {ok, AuthorizedKeys} = application:get_env(authorized_keys),
    #{cert := Certificate} = Identity = trapless_secure_certificate:self_signed("localhost"),
    {ok, _} = inets:start(httpd, [
        {port, HttpsPort}, {bind_address, any}, {server_name, "localhost"},
        {server_root, "/tmp"}, {document_root, "/tmp"}, {modules, [trapless_secure_page]},
        {socket_type, {ssl, [{certs_keys, [Identity]}]}}]),
    HostKey = public_key:generate_key({namedCurve, ed25519}),
    {ok, _} = ssh:daemon(SshPort, [
        {key_cb, {trapless_secure_ssh_keys, [{host_key, HostKey}, {authorized_keys, AuthorizedKeys}]}},
        {auth_methods, "publickey"},
        {subsystems, [ssh_sftpd:subsystem_spec([{root, "/tmp"}])]}]),
    io:format("~ts~nHTTPS on port ~b, certificate SHA-256 ~ts~nSSH on port ~b, host key ~ts~n", [
        public_key:pem_encode([{'Certificate', Certificate, not_encrypted}]),
        HttpsPort, binary:encode_hex(crypto:hash(sha256, Certificate)),
        SshPort, ssh:hostkey_fingerprint(sha256, trapless_secure_ssh_keys:public(HostKey))]),
    supervisor:start_link(?MODULE, []).

stop(_State) ->
    ok.

%% The servers run below their own applications' supervisors.
init([]) ->
    {ok, {#{}, []}}.
