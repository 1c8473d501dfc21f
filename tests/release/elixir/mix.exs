defmodule Demo.MixProject do
  use Mix.Project

  def project do
    [
      app: :demo,
      version: "0.1.0",
      deps: [],
      releases: [demo: [cookie: "wire"]]
    ]
  end

  def application, do: [mod: {Demo, []}, extra_applications: [:logger]]
end
