%% Keys for the SSH daemon out of its options in place of files: its own, and those of whom it lets in.
-module(trapless_secure_ssh_keys).
-behaviour(ssh_server_key_api).
-export([host_key/2, is_auth_key/3, public/1]).

-include_lib("public_key/include/public_key.hrl").

host_key('ssh-ed25519', Options) ->
    {ok, option(host_key, Options)};
host_key(_Algorithm, _Options) ->
    {error, "there is only an Ed25519 key"}.

is_auth_key(Key, _User, Options) ->
    case ssh_file:decode(unicode:characters_to_binary(option(authorized_keys, Options)), auth_keys) of
        {error, _} -> false;
        Keys -> lists:keymember(Key, 1, Keys)
    end.

%% The public half of a key, as `ssh` wants it.
public(#'ECPrivateKey'{parameters = Curve, publicKey = Point}) ->
    {#'ECPoint'{point = Point}, Curve}.

option(Name, Options) ->
    proplists:get_value(Name, proplists:get_value(key_cb_private, Options)).
