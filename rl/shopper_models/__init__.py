"""What shoppers will do: who will buy, who will not come again, and how much is spent."""
