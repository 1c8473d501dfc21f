%% Prints what each part of the test finds; tests/tests/nifs.rs compares.
-module(trapless_nif_test).
-export([run/0]).

run() ->
    [begin
         io:format("~s ~w~n", [Name, Fun()])
     end || {Name, Fun} <- parts()],
    [trapless_nif_wrong:load(Name) || Name <- ["glibc", "cut", "missing", "absent"]],
    io:format("done~n").

parts() ->
    [{"state", fun state/0}, {"libc", fun libc/0}, {"resource", fun resource/0}, {"dirty", fun dirty/0}, {"local", fun local/0},
     {"c++", fun() -> trapless_nif_words:count(<<"to be or not to be">>) end}, {"driver", fun driver/0},
     {"upgrade", fun upgrade/0}, {"rights", fun rights/0}].

state() ->
    Numbers = [trapless_nif_counter:next() || _ <- lists:seq(1, 3)],
    {trapless_nif_counter:state(), Numbers, trapless_nif_counter:started()}.

libc() ->
    List = [(N * 7919) rem 1000 || N <- lists:seq(1, 1000)],
    {trapless_nif_counter:sorted(List) =:= lists:sort(List), trapless_nif_counter:text(1.5)}.

%% A resource is a term, and is destroyed when nobody has it any more.
resource() ->
    Box = trapless_nif_counter:new_box(42),
    {42, true} = {trapless_nif_counter:box(Box), is_reference(Box)},
    {Pid, Monitor} = spawn_monitor(fun() -> trapless_nif_counter:new_box(1) end),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end,
    ended(100).

ended(0) -> never;
ended(Tries) ->
    case trapless_nif_counter:ended() of
        0 -> timer:sleep(20), ended(Tries - 1);
        Count -> Count
    end.

%% All dirty schedulers sleep in the NIF; others go on meanwhile.
dirty() ->
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), trapless_nif_counter:wait(50)} end) || _ <- lists:seq(1, 8)],
    [receive {Pid, Answer} -> Answer end || Pid <- Pids].

%% Each scheduler has a copy of a thread-local variable, all of which begin at the same value.
local() ->
    Self = self(),
    Pids = [spawn_opt(fun() -> Self ! {self(), trapless_nif_counter:local()} end, [link]) || _ <- lists:seq(1, 100)],
    Values = [receive {Pid, Value} -> Value end || Pid <- Pids],
    {lists:min(Values), lists:all(fun(Value) -> Value > 1000 andalso Value =< 1100 end, Values)}.

driver() ->
    ok = erl_ddll:load_driver(code:priv_dir(trapless_nif_test), "trapless_echo_drv"),
    Port = open_port({spawn_driver, "trapless_echo_drv"}, [binary]),
    Port ! {self(), {command, <<"echo">>}},
    Answer = receive {Port, {data, Data}} -> Data end,
    Control = binary_to_list(iolist_to_binary(port_control(Port, 3, <<"abc">>))),
    true = port_close(Port),
    ok = erl_ddll:unload_driver("trapless_echo_drv"),
    {Answer, Control}.

%% A new version of the module, from another file, takes the state over; then the old one goes.
upgrade() ->
    Old = filename:join(code:priv_dir(trapless_nif_test), "counter.so"),
    {ok, _} = file:copy(Old, "/tmp/counter_again.so"),
    persistent_term:put({trapless_nif_counter, path}, "/tmp/counter_again"),
    {module, _} = code:load_file(trapless_nif_counter),
    Upgraded = {trapless_nif_counter:state(), trapless_nif_counter:next()},
    code:purge(trapless_nif_counter),
    persistent_term:erase({trapless_nif_counter, path}),
    {module, _} = code:load_file(trapless_nif_counter),
    code:purge(trapless_nif_counter),
    {Upgraded, trapless_nif_counter:state(), trapless_nif_counter:next()}.

%% Executable mappings: more than the JIT's now, and none of the new ones is writable.
rights() ->
    {ok, Maps} = file:read_file("/proc/self/maps"),
    Lines = binary:split(Maps, <<"\n">>, [global]),
    With = fun(Rights) -> length([Line || Line <- Lines, binary:match(Line, Rights) =/= nomatch]) end,
    {With(<<" r-x">>) >= 4, With(<<" rwx">>) =< 1}.
