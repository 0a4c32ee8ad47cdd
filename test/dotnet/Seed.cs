// The seed's line, to the letter, in a process's script task.
public static class Seed
{
	public static void Main()
	{
		Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll("SomeMessageId", "My message value");
	}
}
