%% What only Erlang can do for the archive: compile modules and write the boot script.
%% Run on the host by the Linux build of the same BEAM; it is not part of the archive.
-module(rootfs_tool).
-export([main/1]).

%% compile OUT INCLUDE FILE...      compiles each file into OUT, silent when all is well
main(["compile", Out, Include | Files]) ->
    Options = [report, deterministic, {outdir, Out}, {i, Include}],
    case [File || File <- Files, compile:file(File, Options) =:= error] of
        [] -> ok;
        Bad -> fail("~ts not compiled", [lists:join(", ", Bad)])
    end;
%% boot BOOT OUT PRELOAD APPLICATION...
%%   BOOT is the start_clean.boot of OTP, OUT the one to write, PRELOAD a list of modules to load before the kernel
%%   starts ("a,b,c"), and each APPLICATION the name of a folder below lib/ ("kernel-10.2").
main(["boot", Boot0, Out, Preload | Dirs]) ->
    {ok, Binary} = file:read_file(Boot0),
    {script, Name, Commands} = binary_to_term(Binary),
    Extra = [list_to_atom(Module) || Module <- string:lexemes(Preload, ",")],
    Paths = ["$ROOT/lib/" ++ Dir ++ "/ebin" || Dir <- Dirs],
    Boot = {script, Name, rewrite(Commands, Paths, Extra)},
    case file:write_file(Out, term_to_binary(Boot, [deterministic])) of
        ok -> ok;
        {error, Reason} -> fail("cannot write ~ts: ~ts", [Out, file:format_error(Reason)])
    end.

%% The script of OTP itself, with three changes: modules are looked for where the archive has them, the modules that
%% are always wanted are loaded at once and in parallel instead of one by one on demand, and no ~/.erlang is looked for.
rewrite([{path, _} | Rest], Paths, Extra) ->
    [{path, Paths} | rewrite(Rest, Paths, Extra)];
rewrite([{primLoad, Modules} | Rest], Paths, Extra) ->
    More = [Module || Module <- Extra, not lists:member(Module, Modules)],
    [{primLoad, Modules ++ More} | rewrite(Rest, Paths, [])];
rewrite([{apply, {c, erlangrc, _}} | Rest], Paths, Extra) ->
    rewrite(Rest, Paths, Extra);
rewrite([Command | Rest], Paths, Extra) ->
    [Command | rewrite(Rest, Paths, Extra)];
rewrite([], _, _) ->
    [].

-spec fail(string(), [term()]) -> no_return().
fail(Format, Arguments) ->
    io:format(standard_error, Format ++ "~n", Arguments),
    erlang:halt(1).
