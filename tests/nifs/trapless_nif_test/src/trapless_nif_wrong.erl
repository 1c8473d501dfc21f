%% Asks for libraries that cannot be loaded, and says what the answer is.
-module(trapless_nif_wrong).
-export([load/1]).

load(Name) ->
    {error, {Reason, Text}} = erlang:load_nif(filename:join(code:priv_dir(trapless_nif_test), Name), 0),
    io:format("~s: ~p ~s~n", [Name, Reason, Text]).
