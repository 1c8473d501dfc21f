%% A NIF with state, resources, a dirty NIF and calls of the C library.
-module(trapless_nif_counter).
-export([next/0, state/0, sorted/1, text/1, new_box/1, box/1, wait/1, local/0, started/0, ended/0]).
-on_load(init/0).
-nifs([next/0, state/0, sorted/1, text/1, new_box/1, box/1, wait/1, local/0, started/0, ended/0]).

%% From where it is loaded can be changed, to load it again from elsewhere.
init() ->
    Default = filename:join(code:priv_dir(trapless_nif_test), "counter"),
    erlang:load_nif(persistent_term:get({?MODULE, path}, Default), 7).

next() -> erlang:nif_error(not_loaded).
state() -> erlang:nif_error(not_loaded).
sorted(_) -> erlang:nif_error(not_loaded).
text(_) -> erlang:nif_error(not_loaded).
new_box(_) -> erlang:nif_error(not_loaded).
box(_) -> erlang:nif_error(not_loaded).
wait(_) -> erlang:nif_error(not_loaded).
local() -> erlang:nif_error(not_loaded).
started() -> erlang:nif_error(not_loaded).
ended() -> erlang:nif_error(not_loaded).
