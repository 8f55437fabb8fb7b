"""The external API that both apps call, in a process of its own."""
