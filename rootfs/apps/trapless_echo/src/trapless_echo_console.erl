%% The process `user` of a machine that only serves: it prints, and nobody types.
%%
%% OTP's own is a terminal with a line editor, history and completion, a sixth of all the code that a boot loads. The boot
%% script `echo` has no use for it; `erl -user trapless_echo_console` puts this in its place. It speaks the io protocol
%% (stdlib's "The Erlang I/O Protocol"): what is written goes to standard output, and what would be read is `enotsup`.
-module(trapless_echo_console).
-export([start/0, init/1]).

start() ->
    Process = spawn(?MODULE, init, [self()]),
    receive {Process, ready} -> Process end.

init(Starter) ->
    Port = open_port({fd, 1, 1}, [out, binary]),
    register(user, self()),
    Starter ! {self(), ready},
    serve(Port).

serve(Port) ->
    receive
        {io_request, From, ReplyAs, Request} ->
            From ! {io_reply, ReplyAs, answer(Request, Port)},
            serve(Port);
        _Other ->
            serve(Port)
    end.

answer({put_chars, Encoding, Characters}, Port) ->
    print(Encoding, Characters, Port);
answer({put_chars, Encoding, Module, Function, Arguments}, Port) ->
    try apply(Module, Function, Arguments) of
        Characters -> print(Encoding, Characters, Port)
    catch
        _:_ -> {error, Function}
    end;
answer({put_chars, Characters}, Port) ->
    print(latin1, Characters, Port);
answer({put_chars, Module, Function, Arguments}, Port) ->
    answer({put_chars, latin1, Module, Function, Arguments}, Port);
answer({requests, Requests}, Port) ->
    answer_all(Requests, ok, Port);
answer(getopts, _Port) ->
    [{encoding, unicode}, {binary, false}, {echo, false}];
answer(_ReadOrAsk, _Port) ->
    {error, enotsup}.

%% The first error ends the list; the answer is the last one.
answer_all([Request | Rest], ok, Port) ->
    answer_all(Rest, answer(Request, Port), Port);
answer_all(_, Answer, _Port) ->
    Answer.

print(Encoding, Characters, Port) ->
    try unicode:characters_to_binary(Characters, Encoding, unicode) of
        Bytes when is_binary(Bytes) ->
            true = port_command(Port, Bytes),
            ok;
        _Unfinished ->
            {error, {put_chars, Encoding, Characters}}
    catch
        error:badarg -> {error, {put_chars, Encoding, Characters}}
    end.
