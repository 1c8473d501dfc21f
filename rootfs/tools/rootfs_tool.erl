%% What only Erlang can do for the archive: compile modules and write boot scripts.
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
%% required TO LIB FILE... [-- FILE...]   writes into TO which applications of LIB those of the .app files need, one a line
%%   What only applications behind the dashes need may be missing: `APPLICATION needs APPLICATION` is written for it.
main(["required", To, Lib | Files]) ->
    {Strict, Rest} = lists:splitwith(fun(File) -> File =/= "--" end, Files),
    Given = [description(File) || File <- Strict],
    Guests = lists:flatmap(fun guest/1, lists:nthtail(min(1, length(Rest)), Rest)),
    Names = [Name || {application, Name, _} <- Given ++ Guests],
    Add = fun(Missing) -> fun(Application, State) -> required(Application, Lib, Missing, State) end end,
    {Known, Found} = lists:foldl(Add(fun missing/2), {Names, []}, Given),
    {_, All} = lists:foldl(Add(fun(Need, Name) -> lists:concat([Name, " needs ", Need]) end), {Known, Found}, Guests),
    case file:write_file(To, [[io_lib:format("~ts", [Line]), $\n] || Line <- lists:reverse(All)]) of
        ok -> ok;
        {error, Reason} -> fail("cannot write ~ts: ~ts", [To, file:format_error(Reason)])
    end;
%% boot FROM TO KEY=VALUE...        rewrites the boot script FROM (OTP's start_clean.boot) into TO
%%   path=NAME           a folder below lib/ with modules ("kernel-10.2"); once for each
%%   load=FILE           a .app file whose application is loaded; once for each
%%   start=NAME          an application that is started; once for each
%%   early=MODULE        a module to load before the kernel starts; once for each
%%   later=MODULE        a module that OTP loads then, and that is to wait until it is called; once for each
%%   distribution=false  do without the processes that serve distribution
main(["boot", From, To | Settings]) ->
    {ok, Binary} = file:read_file(From),
    {script, Name, Commands} = binary_to_term(Binary),
    write(To, {script, Name, rewrite(Commands, settings(Settings))});
%% release FROM TO path=NAME...     rewrites the boot script FROM of somebody's release into TO
%%   path=NAME           a further folder below lib/ with modules; once for each
main(["release", From, To | Settings]) ->
    case catch binary_to_term(element(2, file:read_file(From))) of
        {script, Name, Commands} -> write(To, {script, Name, release(Commands, values("path", settings(Settings)))});
        _ -> fail("~ts is no boot script", [From])
    end.

write(To, Boot) ->
    case file:write_file(To, term_to_binary(Boot, [deterministic])) of
        ok -> ok;
        {error, Reason} -> fail("cannot write ~ts: ~ts", [To, file:format_error(Reason)])
    end.

%% A release keeps its order of loading and starting. All modules that it loads are prepared in parallel before, which needs
%% the whole path; what else is changed is what every boot script has changed here.
release(Commands, Further) ->
    Own = ["$ROOT/lib/" ++ Name ++ "/ebin" || Name <- Further],
    Path = lists:last([[place(Folder) || Folder <- Folders] || {path, Folders} <- Commands]) ++ Own,
    Modules = lists:append([Modules || {primLoad, Modules} <- Commands]),
    {Head, Tail} = lists:splitwith(fun(Command) -> element(1, Command) =/= primLoad end, Commands),
    Load = [{path, Path}, {primLoad, [trapless_boot]}, {apply, {trapless_boot, load, [Modules]}}],
    lists:flatmap(fun(Command) -> placed(Command, Own) end, Head) ++ Load
        ++ lists:flatmap(fun(Command) -> placed(Command, Own) end, Tail).

placed({path, Folders}, Own) -> [{path, [place(Folder) || Folder <- Folders] ++ Own}];
placed({apply, {application, start_boot, [kernel, _]}} = Start, _) -> [Start, {apply, {inet_db, set_lookup, [[file, dns]]}}];
placed({apply, {c, erlangrc, _}}, _) -> [];
placed(Command, _) -> [Command].

%% Variables other than $ROOT stand for the folder with the applications; paths of the host are told by their ends.
place("$ROOT/" ++ _ = Folder) -> Folder;
place("$" ++ Rest) ->
    case string:split(Rest, "/") of
        [_, "../" ++ Folder] -> "$ROOT/" ++ Folder;
        [_, Folder] -> "$ROOT/lib/" ++ Folder
    end;
place(Folder) ->
    [Last, Application | _] = lists:reverse(filename:split(Folder)),
    "$ROOT/lib/" ++ Application ++ "/" ++ Last.

%% Known applications are those that were looked at; the found ones among them are OTP's, the last in front. Of one that is nowhere
%% Missing(Need, Name) says what to do: it ends this program, or returns a line about it.
required({application, Name, Keys}, Lib, Missing, State) ->
    Key = fun(Key) -> proplists:get_value(Key, Keys, []) end,
    Needs = Key(applications) ++ Key(included_applications) -- Key(optional_applications),
    lists:foldl(fun(Need, {Known, Found}) ->
        case lists:member(Need, Known) of
            true -> {Known, Found};
            false ->
                case filelib:wildcard(lists:concat([Need, "{,-*}/ebin/", Need, ".app"]), Lib) of
                    [File | _] ->
                        Application = description(filename:join(Lib, File)),
                        {Known1, Found1} = required(Application, Lib, Missing, {[Need | Known], Found}),
                        {Known1, [Need | Found1]};
                    [] -> {[Need | Known], [Missing(Need, Name) | Found]}
                end
        end
    end, State, Needs).

-spec missing(atom(), atom()) -> no_return().
missing(Need, Name) ->
    fail("the application ~ts needs the application ~ts (so its .app file says), which is not among those "
         "put in and not one of this OTP; put it in, or take it out of the .app file", [Name, Need]).

%% What somebody's files describe, if they do: a file may only be called so.
guest(File) ->
    case file:consult(File) of
        {ok, [{application, Name, Keys} = Application]} when is_atom(Name), is_list(Keys) -> [Application];
        _ -> []
    end.

settings(Settings) ->
    lists:foldr(fun(Setting, Map) ->
        [Key, Value] = string:split(Setting, "="),
        maps:update_with(Key, fun(Values) -> [Value | Values] end, [Value], Map)
    end, #{}, Settings).

values(Key, Settings) ->
    maps:get(Key, Settings, []).

modules(Key, Settings) ->
    [list_to_atom(Module) || Module <- values(Key, Settings)].

rewrite([{path, _} | Rest], Settings) ->
    [{path, ["$ROOT/lib/" ++ Name ++ "/ebin" || Name <- values("path", Settings)]} | rewrite(Rest, Settings)];
%% The list before the kernel is loaded at once: in parallel by trapless_boot, and what is left then by init. The lists behind it only matter to `-mode embedded`.
rewrite([{primLoad, Modules}, {kernel_load_completed} | Rest], Settings) ->
    Later = modules("later", Settings),
    Early = [Module || Module <- modules("early", Settings), not lists:member(Module, Modules)],
    First = (Modules -- Later) ++ Early,
    [{primLoad, [trapless_boot]}, {apply, {trapless_boot, load, [First]}}, {primLoad, First},
     {kernel_load_completed}, {primLoad, Later} | rewrite(Rest, Settings)];
rewrite([{kernelProcess, application_controller, {Module, Function, [{application, kernel, Keys}]}} | Rest], Settings) ->
    {env, Env} = lists:keyfind(env, 1, Keys),
    More = [{start_distribution, false} || ["false"] <- [values("distribution", Settings)]],
    Kernel = {application, kernel, lists:keystore(env, 1, Keys, {env, More ++ Env})},
    [{kernelProcess, application_controller, {Module, Function, [Kernel]}} | rewrite(Rest, Settings)];
%% Applications that are described here need no .app file to be read and parsed at run time, which takes a scanner,
%% a parser and more.
rewrite([{progress, applications_loaded} | Rest], Settings) ->
    Load = [{apply, {application, load, [description(File)]}} || File <- values("load", Settings)],
    Load ++ [{progress, applications_loaded} | rewrite(Rest, Settings)];
%% By default OTP would start a program to look names up.
rewrite([{apply, {application, start_boot, [kernel, _]}} = Start | Rest], Settings) ->
    [Start, {apply, {inet_db, set_lookup, [[file, dns]]}} | rewrite(Rest, Settings)];
%% Nobody has a ~/.erlang here.
rewrite([{apply, {c, erlangrc, _}} | Rest], Settings) ->
    rewrite(Rest, Settings);
rewrite([{progress, started}], Settings) ->
    [{apply, {application, start_boot, [Name, permanent]}} || Name <- modules("start", Settings)] ++ [{progress, started}];
rewrite([Command | Rest], Settings) ->
    [Command | rewrite(Rest, Settings)].

description(File) ->
    case file:consult(File) of
        {ok, [{application, Name, Keys}]} when is_atom(Name), is_list(Keys) -> {application, Name, Keys};
        {ok, _} -> fail("~ts does not describe an application", [File]);
        {error, Reason} -> fail("~ts: ~ts", [File, file:format_error(Reason)])
    end.

-spec fail(string(), [term()]) -> no_return().
fail(Format, Arguments) ->
    io:format(standard_error, Format ++ "~n", Arguments),
    erlang:halt(1).
