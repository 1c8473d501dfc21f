defmodule Demo do
  @moduledoc "An application that tells what it was given, and that Elixir works."
  use Application
  require Logger

  def start(_, _) do
    squares = 1..8 |> Task.async_stream(&(&1 * &1)) |> Enum.map(fn {:ok, square} -> square end)
    Logger.info("=logged")
    IO.puts("=greeting #{Application.fetch_env!(:demo, :greeting)}")
    IO.puts("=node #{node()} mode #{:code.get_mode()}")
    # The protocol is consolidated: its module in releases/VSN/consolidated comes before the one in lib/.
    IO.puts("=squares #{inspect(squares)} #{Protocol.consolidated?(Enumerable)}")
    IO.puts("=done")
    Supervisor.start_link([], strategy: :one_for_one)
  end
end
