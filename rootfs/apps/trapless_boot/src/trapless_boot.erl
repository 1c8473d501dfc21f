%% Loads the modules of a boot script on several schedulers, before the script's own `primLoad` looks at them.
%%
%% OTP's loader has a process for each module, too, but they are all born on one scheduler, and the others only come to help
%% when they are woken for little work (`+swt low`), which costs more than it gains once the machine serves. Here some
%% schedulers are given a process each, which takes modules until there is none left.
%%
%% What cannot be loaded this way (no such file, a damaged module, one with an -on_load function) is left to `primLoad`, which knows what
%% to do or to say. Nothing but what ERTS has preloaded may be called here.
-module(trapless_boot).
-export([load/1]).

%% More processes than this wait for each other: the C library's heap, which the JIT lives on, has one lock.
-define(MOST, 4).

-spec load([module()]) -> ok.
load(Modules) ->
    Missing = list_to_tuple([Module || Module <- Modules ++ named(), not erlang:module_loaded(Module)]),
    Next = atomics:new(1, []),
    {ok, Paths} = erl_prim_loader:get_path(),
    Self = self(),
    Loader = fun() -> Self ! {self(), prepare(Next, Missing, Paths, [])} end,
    Loaders = [spawn_opt(Loader, [monitor, {scheduler, N}]) || N <- numbers(loaders())],
    Prepared = collect(Loaders),
    ok = erlang:finish_loading([Code || {_, _, Code} <- Prepared]),
    %% As init's own loading does; the code server will ask init for them.
    init ! {Self, loaded, [{Module, File} || {Module, File, _} <- Prepared]},
    ok.

%% What finds other nodes is called by its name in the arguments, which no boot script knows; embedded mode would not find it later.
named() ->
    case init:get_argument(epmd_module) of
        {ok, [[Module | _] | _]} -> [list_to_atom(Module)];
        _ -> []
    end.

loaders() -> min(?MOST, erlang:system_info(schedulers_online)).

numbers(0) -> [];
numbers(N) -> [N | numbers(N - 1)].

collect([{Process, Monitor} | Rest]) ->
    receive
        {Process, Prepared} ->
            true = erlang:demonitor(Monitor, [flush]),
            Prepared ++ collect(Rest);
        {'DOWN', Monitor, process, Process, _} ->
            collect(Rest)
    end;
collect([]) ->
    [].

%% Takes the next module that nobody has taken.
prepare(Next, Modules, Paths, Prepared) ->
    case atomics:add_get(Next, 1, 1) of
        N when N > tuple_size(Modules) -> Prepared;
        N -> prepare(Next, Modules, Paths, prepare(element(N, Modules), Paths) ++ Prepared)
    end.

prepare(Module, [Path | Rest]) ->
    File = Path ++ "/" ++ atom_to_list(Module) ++ init:objfile_extension(),
    case prim_file:read_file(File) of
        {ok, Beam} -> prepared(Module, File, erlang:prepare_loading(Module, Beam));
        {error, _} -> prepare(Module, Rest)
    end;
prepare(_, []) ->
    [].

prepared(_, _, {error, _}) ->
    [];
prepared(Module, File, Code) ->
    [{Module, File, Code} || not erlang:has_prepared_code_on_load(Code)].
