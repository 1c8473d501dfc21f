%% A NIF in C++, with containers.
-module(trapless_nif_words).
-export([count/1]).
-on_load(init/0).
-nifs([count/1]).

init() -> erlang:load_nif(filename:join(code:priv_dir(trapless_nif_test), "words"), 0).

count(_) -> erlang:nif_error(not_loaded).
