// What the tests of MsgChannelUtilities run: the first argument says which of these, standard output says what came of it.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using Terrasoft.Configuration;

public sealed class JsonPropertyAttribute : Attribute
{
	public string PropertyName { get; private set; }

	public JsonPropertyAttribute(string propertyName)
	{
		PropertyName = propertyName;
	}
}

public sealed class JsonIgnoreAttribute : Attribute
{
}

public enum Stage
{
	Draft = 3
}

/// <summary>What Creatio's user connection has of this shape.</summary>
public sealed class UserConnection
{
	public sealed class SysUser
	{
		public Guid Id { get; set; }
	}

	public SysUser CurrentUser { get; set; }
}

public sealed class Order
{
	public int Number { get; set; }

	[JsonProperty("customer_name")]
	public string Customer { get; set; }

	[JsonIgnore]
	public string Secret { get; set; }

	public decimal Amount;

	public Stage Stage { get; set; }

	public Guid Id { get; set; }

	public DateTime At { get; set; }

	public Order Parent { get; set; }
}

public static class Program
{
	private static readonly Guid System_ = new Guid("00000000-0000-0000-0000-000000000001");
	private static readonly Guid Ann = new Guid("00000000-0000-0000-0000-00000000000a");

	public static void Main(string[] arguments)
	{
		// Where Main returns, mono's runtime can wait for an idle thread of its pool, which ends after a minute at most.
		Environment.Exit(Run(arguments));
	}

	private static int Run(string[] arguments)
	{
		// A comma for decimals, as on many servers: it must not get into JSON.
		Thread.CurrentThread.CurrentCulture = new CultureInfo("de-DE");
		switch (arguments[0])
		{
			case "bodies": Bodies(); break;
			case "refused": Refused(); break;
			case "audiences": Audiences(); break;
			case "many": Many(int.Parse(arguments[1])); break;
			case "receipt": Receipt(); break;
			case "wrong-key": WrongKey(arguments[1]); break;
			case "unreachable": Unreachable(); break;
			case "one-is-wrong": OneIsWrong(); break;
			case "too-many": TooMany(); break;
			case "options": Options(); break;
			default: return 2;
		}
		return MsgChannelUtilities.Flush(TimeSpan.FromSeconds(60)) ? 0 : 1;
	}

	private static void Bodies()
	{
		var bodies = new object[]
		{
			"", "null", "5", "abc", "Quotes \" and \\ and \u2028 and 😀", "\ud800 alone", "\u0000\u001f",
			null, true, 42, -7L, 1.5, 0.1f, 1e300, 12.340m, 'c', new[] { 1, 2 }, new object[] { "a", null, new int[0] },
			new Dictionary<string, object> { { "__proto__", 1 }, { "a\"b", new List<string> { "x" } } },
			new { Id = 1, Names = new[] { "a", "b" } },
			new Order
			{
				Number = 1, Customer = "O'Hara", Secret = "hidden", Amount = 9.90m, Stage = Stage.Draft, Id = Ann,
				At = new DateTime(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc), Parent = new Order { Number = 2 }
			},
			new byte[] { 1, 2, 3 }, new InvalidOperationException("It broke")
		};
		foreach (var body in bodies) MsgChannelUtilities.PostMessageToAll("Body", body);
	}

	private static void Refused()
	{
		var self = new List<object>();
		self.Add(self);
		Say(() => MsgChannelUtilities.PostMessageToAll("", "x"));
		Say(() => MsgChannelUtilities.PostMessageToAll(null, "x"));
		Say(() => MsgChannelUtilities.PostMessageToAll(new string('x', 257), "x"));
		Say(() => MsgChannelUtilities.PostMessageToAll("S", self));
		Say(() => MsgChannelUtilities.PostMessageToAll("S", double.NaN));
		Say(() => MsgChannelUtilities.PostMessageToAll("S", new Action(Refused)));
		Say(() => MsgChannelUtilities.PostMessage(null, "S", "x"));
		Say(() => MsgChannelUtilities.PostMessage("", "S", "x"));
		Say(() => MsgChannelUtilities.PostMessage(new string[0], "S", "x"));
		Say(() => MsgChannelUtilities.PostMessage(new object(), "S", "x"));
		Say(() => MsgChannelUtilities.PostMessage(new UserConnection(), "S", "x"));
		Say(() => MsgChannelUtilities.OnBehalfOf(new[] { "a", "b" }));
		Say(() => MsgChannelUtilities.Configure(new MsgChannelSettings { Url = "nowhere" }));
		Say(() => MsgChannelUtilities.PostMessageToAll("Last", "x"));
	}

	private static void Say(Action run)
	{
		try
		{
			run();
			Console.WriteLine("taken");
		}
		catch (ArgumentException error)
		{
			Console.WriteLine(error.Message.Split('\n')[0]);
		}
	}

	private static void Audiences()
	{
		var systemConnection = new UserConnection { CurrentUser = new UserConnection.SysUser { Id = System_ } };
		var annsConnection = new UserConnection { CurrentUser = new UserConnection.SysUser { Id = Ann } };
		MsgChannelUtilities.PostMessage(annsConnection, "To", "user connection");
		MsgChannelUtilities.PostMessage(Ann, "To", "guid");
		MsgChannelUtilities.PostMessage(Ann.ToString(), "To", "text");
		MsgChannelUtilities.PostMessage(new[] { Ann, System_ }, "To", "several");
		MsgChannelUtilities.PostMessage(systemConnection, "To", "the system's own");
		using (MsgChannelUtilities.OnBehalfOf(Ann))
		{
			MsgChannelUtilities.PostMessage(systemConnection, "To", "on behalf");
			Task.Run(async () =>
			{
				await Task.Delay(1);
				await MsgChannelUtilities.PostMessageAsync(systemConnection, "To", "on behalf, later");
			}).Wait();
			MsgChannelUtilities.PostMessage(System_, "To", "an id stays an id");
		}
		MsgChannelUtilities.PostMessage(systemConnection, "To", "after the scope");
		MsgChannelUtilities.Post(new MsgPost { Groups = new[] { "sales" }, Sender = "To", Body = "group" });
		MsgChannelUtilities.PostMessage(Ann, "To", "end");
	}

	private static void Many(int count)
	{
		for (var number = 1; number <= count; number++) MsgChannelUtilities.PostMessageToAll("Number", number);
	}

	private static void Receipt()
	{
		var receipt = MsgChannelUtilities.PostMessageToAllAsync("Awaited", 1).Result;
		Console.WriteLine(receipt.Id + " " + receipt.Position + " " + receipt.Durability + " " + receipt.Connections);
		var first = MsgChannelUtilities.PostAsync(new MsgPost { Sender = "Twice", Body = 1, Id = "same" }).Result;
		var second = MsgChannelUtilities.PostAsync(new MsgPost { Sender = "Twice", Body = 1, Id = "same" }).Result;
		Console.WriteLine(first.Position == second.Position);
	}

	private static void WrongKey(string url)
	{
		MsgChannelUtilities.Configure(new MsgChannelSettings { Url = url, ApiKey = "not the key of it" });
		SayFailure(MsgChannelUtilities.PostMessageToAllAsync("S", 1));
		MsgChannelUtilities.PostFailed += (post, error) => { throw new InvalidOperationException("A listener that throws"); };
		MsgChannelUtilities.PostFailed += (post, error) => Console.WriteLine(post.Sender + " " + ((MsgChannelException)error).Code);
		MsgChannelUtilities.PostMessageToAll("Lost", 1);
	}

	private static void Unreachable()
	{
		var elapsed = Stopwatch.StartNew();
		MsgChannelUtilities.Configure(new MsgChannelSettings { Url = "http://127.0.0.1:9", RetryFor = TimeSpan.FromMilliseconds(500) });
		SayFailure(MsgChannelUtilities.PostMessageToAllAsync("S", 1));
		Console.WriteLine(elapsed.Elapsed < TimeSpan.FromSeconds(20));
	}

	private static void OneIsWrong()
	{
		var tasks = new List<Task<MsgReceipt>>();
		for (var number = 1; number <= 5; number++)
		{
			var interval = number == 3 ? TimeSpan.FromDays(1) : (TimeSpan?)null;
			tasks.Add(MsgChannelUtilities.PostAsync(new MsgPost { Sender = "Five", Body = number, Interval = interval }));
		}
		foreach (var task in tasks) SayFailure(task);
	}

	private static void TooMany()
	{
		MsgChannelUtilities.Configure(new MsgChannelSettings
		{
			Url = "http://127.0.0.1:9", WaitingMax = 2, RetryFor = TimeSpan.FromMilliseconds(1)
		});
		var tasks = new List<Task<MsgReceipt>>();
		for (var number = 1; number <= 3; number++) tasks.Add(MsgChannelUtilities.PostMessageToAllAsync("S", number));
		SayFailure(tasks[2]);
	}

	private static void Options()
	{
		MsgChannelUtilities.Post(new MsgPost
		{
			Sender = "Options", Body = 1, Id = "id-1", Key = "order:42", Interval = TimeSpan.FromSeconds(1.5),
			TimeToLive = TimeSpan.FromMinutes(1), BodyTypeName = "Order", Except = new[] { "c1" }
		});
	}

	private static void SayFailure(Task<MsgReceipt> task)
	{
		try
		{
			task.Wait();
			Console.WriteLine("posted");
		}
		catch (AggregateException error)
		{
			var failure = (MsgChannelException)error.InnerException;
			Console.WriteLine(failure.Code + " " + failure.IsPassing + " " + failure.Message);
		}
	}
}
