%% Makes a release of tests/release/demo, with nothing but OTP's own systools, as the System Principles describe it ("Creating and
%% Upgrading a Target System").
-module(release_tool).
-export([main/1]).

%% SOURCE: the folder of the application; OUT: where its parts are put, and the release, `demo-1.2.3.tar.gz`.
main([Source, Out]) ->
    Ebin = filename:join([Out, "lib", "demo-1.2.3", "ebin"]),
    Private = filename:join([Out, "lib", "demo-1.2.3", "priv"]),
    ok = filelib:ensure_path(Ebin),
    ok = filelib:ensure_path(Private),
    {ok, demo} = compile:file(filename:join(Source, "src/demo.erl"), [report, debug_info, {outdir, Ebin}]),
    {ok, _} = file:copy(filename:join(Source, "src/demo.app.src"), filename:join(Ebin, "demo.app")),
    {ok, _} = file:copy(filename:join(Source, "priv/data.txt"), filename:join(Private, "data.txt")),
    true = code:add_patha(Ebin),
    Applications = [{Name, version(Name)} || Name <- [kernel, stdlib, sasl, demo]],
    Release = {release, {"demo", "1.2.3"}, {erts, erlang:system_info(version)}, Applications},
    Rel = filename:join(Out, "demo"),
    ok = file:write_file(Rel ++ ".rel", io_lib:format("~p.~n", [Release])),
    ok = file:write_file(filename:join(Out, "sys.config"), "[{demo, [{greeting, configured}]}].\n"),
    ok = systools:make_script(Rel, []),
    ok = systools:make_tar(Rel, []).

version(Name) ->
    _ = application:load(Name),
    {ok, Version} = application:get_key(Name, vsn),
    Version.
