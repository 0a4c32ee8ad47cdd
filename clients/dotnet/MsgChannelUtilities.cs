// ServerChannel for C#: posts messages to open pages. One file, C# 5, .NET Framework 4.6 or newer, Mono, .NET; no packages.
// References: System.Net.Http, System.Runtime.Serialization. MIT licence.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Reflection;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Terrasoft.Configuration
{
	/// <summary>
	/// Posts messages from server code to the pages of users, by HTTP, to a ServerChannel. The methods that return nothing put
	/// the message in a queue and return at once; what fails for a passing reason is tried again under the same id, so that
	/// no page gets a message twice. The order of the calls is the order in which pages get the messages.
	/// </summary>
	/// <example><code>
	/// Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll("SomeMessageId", "My message value");
	/// </code></example>
	public static class MsgChannelUtilities
	{
		private static readonly object Gate = new object();
		private static readonly AsyncLocal<string> Initiator = new AsyncLocal<string>();
		private static MsgChannelPoster poster;

		/// <summary>
		/// Told of each message that nobody awaited and that was not posted, and why. Without a listener it is traced as an
		/// error (<see cref="Trace"/>). What a listener throws is traced too.
		/// </summary>
		public static event Action<MsgPost, Exception> PostFailed;

		/// <summary>
		/// Says where the server is. To be called once, before the first post; without it the environment variables
		/// SERVERCHANNEL_URL and SERVERCHANNEL_API_KEY say it. Posts that wait under the settings before are sent by those.
		/// </summary>
		/// <exception cref="ArgumentException">A setting can't be used.</exception>
		public static void Configure(MsgChannelSettings settings)
		{
			var created = new MsgChannelPoster(settings, OnPostFailed);
			lock (Gate) poster = created;
		}

		/// <summary>Posts to everybody, and returns at once.</summary>
		/// <param name="senderName">The message id by which pages know the message, 1 to 256 characters.</param>
		/// <param name="body">
		/// Any value that JSON can hold: a string stays that very string; lists, dictionaries, and objects with their public
		/// properties and fields arrive as such.
		/// </param>
		/// <exception cref="ArgumentException">The name is none, or the body can't be written as JSON.</exception>
		public static void PostMessageToAll(string senderName, object body)
		{
			Post(new MsgPost { Sender = senderName, Body = body });
		}

		/// <summary>Posts to all pages of a user, or of several users, and returns at once.</summary>
		/// <param name="userConnection">
		/// Whose pages: a user connection (what has <c>CurrentUser.Id</c>; inside <see cref="OnBehalfOf"/> it stands for the user
		/// named there), a user's id as Guid or string, or a list of ids.
		/// </param>
		/// <param name="senderName">The message id by which pages know the message, 1 to 256 characters.</param>
		/// <param name="body">As for <see cref="PostMessageToAll"/>.</param>
		/// <exception cref="ArgumentException">It is nobody, the name is none, or the body can't be written as JSON.</exception>
		public static void PostMessage(object userConnection, string senderName, object body)
		{
			Post(new MsgPost { Users = UserIds.Of(userConnection, Initiator.Value), Sender = senderName, Body = body });
		}

		/// <summary>Posts a message with all that it may carry, and returns at once.</summary>
		/// <exception cref="ArgumentException">Something in it is not what it needs to be.</exception>
		public static void Post(MsgPost post)
		{
			Current().Enqueue(post, false);
		}

		/// <summary>Posts to everybody; the task ends once the message is in the log.</summary>
		/// <exception cref="MsgChannelException">It is not, or nobody knows whether it is. Thrown by the task.</exception>
		public static Task<MsgReceipt> PostMessageToAllAsync(string senderName, object body)
		{
			return PostAsync(new MsgPost { Sender = senderName, Body = body });
		}

		/// <summary>Posts to a user's pages; the task ends once the message is in the log. See <see cref="PostMessage"/>.</summary>
		/// <exception cref="MsgChannelException">It is not, or nobody knows whether it is. Thrown by the task.</exception>
		public static Task<MsgReceipt> PostMessageAsync(object userConnection, string senderName, object body)
		{
			return PostAsync(new MsgPost
			{
				Users = UserIds.Of(userConnection, Initiator.Value), Sender = senderName, Body = body
			});
		}

		/// <summary>Posts a message with all that it may carry; the task ends once it is in the log.</summary>
		/// <exception cref="MsgChannelException">It is not, or nobody knows whether it is. Thrown by the task.</exception>
		public static Task<MsgReceipt> PostAsync(MsgPost post)
		{
			return Current().Enqueue(post, true);
		}

		/// <summary>
		/// Names the person who started a background process. There the user connection is the system's, and what is posted to
		/// it reaches nobody: until the scope is disposed, posts to a user connection go to that person. It follows the code
		/// over awaits, and ends with it.
		/// </summary>
		/// <param name="initiatingUser">A user's id as Guid or string, or a user connection.</param>
		/// <example><code>
		/// using (MsgChannelUtilities.OnBehalfOf(startedById)) {
		///     MsgChannelUtilities.PostMessage(UserConnection, "ForecastReady", forecastId);
		/// }
		/// </code></example>
		public static IDisposable OnBehalfOf(object initiatingUser)
		{
			var ids = UserIds.Of(initiatingUser, null);
			if (ids.Count != 1) throw new ArgumentException("One person starts a process, not " + ids.Count + ".", "initiatingUser");
			var before = Initiator.Value;
			Initiator.Value = ids[0];
			return new Scope(before);
		}

		/// <summary>Waits until nothing is left that was posted before. When the process ends, up to five seconds are waited.</summary>
		/// <returns>False where the time was not enough.</returns>
		public static bool Flush(TimeSpan timeout)
		{
			return Current().Flush(timeout);
		}

		private static MsgChannelPoster Current()
		{
			lock (Gate)
			{
				if (poster == null) poster = new MsgChannelPoster(MsgChannelSettings.FromEnvironment(), OnPostFailed);
				return poster;
			}
		}

		private static void OnPostFailed(MsgPost post, Exception error)
		{
			var listeners = PostFailed;
			if (listeners == null)
			{
				Trace.TraceError("ServerChannel: message '" + post.Sender + "' was not posted: " + error.Message);
				return;
			}
			foreach (Action<MsgPost, Exception> listener in listeners.GetInvocationList())
			{
				try { listener(post, error); }
				catch (Exception thrown) { Trace.TraceError("ServerChannel: a listener of PostFailed threw: " + thrown); }
			}
		}

		private sealed class Scope : IDisposable
		{
			private readonly string before;

			public Scope(string before)
			{
				this.before = before;
			}

			public void Dispose()
			{
				Initiator.Value = before;
			}
		}
	}

	/// <summary>Where the server is, and how long to try.</summary>
	public sealed class MsgChannelSettings
	{
		public MsgChannelSettings()
		{
			RetryFor = TimeSpan.FromMinutes(1);
			RequestTimeout = TimeSpan.FromSeconds(30);
			WaitingMax = 10000;
		}

		/// <summary>The server, as https://messages.example.com.</summary>
		public string Url { get; set; }

		/// <summary>One of the server's API keys; none for a server in development mode.</summary>
		public string ApiKey { get; set; }

		/// <summary>How long a message is tried again that failed for a passing reason. Default: one minute.</summary>
		public TimeSpan RetryFor { get; set; }

		/// <summary>How long one request may take. Default: 30 seconds.</summary>
		public TimeSpan RequestTimeout { get; set; }

		/// <summary>How many messages may wait; more are refused. Default: 10,000.</summary>
		public int WaitingMax { get; set; }

		internal static MsgChannelSettings FromEnvironment()
		{
			var url = Environment.GetEnvironmentVariable("SERVERCHANNEL_URL");
			if (string.IsNullOrEmpty(url))
			{
				throw new InvalidOperationException(
					"It is not known where messages go: call MsgChannelUtilities.Configure with the server's Url, or set SERVERCHANNEL_URL.");
			}
			return new MsgChannelSettings { Url = url, ApiKey = Environment.GetEnvironmentVariable("SERVERCHANNEL_API_KEY") };
		}
	}

	/// <summary>A message as a poster writes it. Names of users, groups and connections: any of them gets it; none: everybody.</summary>
	public sealed class MsgPost
	{
		/// <summary>The message id by which pages know the message, 1 to 256 characters.</summary>
		public string Sender { get; set; }

		/// <summary>Any value that JSON can hold.</summary>
		public object Body { get; set; }

		public IList<string> Users { get; set; }

		public IList<string> Groups { get; set; }

		public IList<string> Connections { get; set; }

		/// <summary>Connections that don't get it.</summary>
		public IList<string> Except { get; set; }

		/// <summary>What it is about, as order:42: a page that is behind gets only the newest of a sender and key.</summary>
		public string Key { get; set; }

		/// <summary>With a key: a page gets at most one in so long.</summary>
		public TimeSpan? Interval { get; set; }

		/// <summary>Nobody gets it after so long.</summary>
		public TimeSpan? TimeToLive { get; set; }

		/// <summary>Idempotency key: a second post with the same id is the same message. A new one where it is left out.</summary>
		public string Id { get; set; }

		/// <summary>The body's type by the poster's own naming.</summary>
		public string BodyTypeName { get; set; }
	}

	/// <summary>What a poster gets once the message is in the log.</summary>
	[DataContract]
	public sealed class MsgReceipt
	{
		[DataMember(Name = "id")]
		public string Id { get; set; }

		/// <summary>The place in the log, epoch:offset.</summary>
		[DataMember(Name = "position")]
		public string Position { get; set; }

		/// <summary>How safe the message is: memory, logged, synced or replicated.</summary>
		[DataMember(Name = "durability")]
		public string Durability { get; set; }

		/// <summary>Connections that it was for at that moment, of the server process that took it. 0 is no error.</summary>
		[DataMember(Name = "connections")]
		public int Connections { get; set; }
	}

	/// <summary>A message was not posted.</summary>
	public sealed class MsgChannelException : Exception
	{
		public MsgChannelException(string code, string message, bool isPassing, Exception cause) : base(message, cause)
		{
			Code = code;
			IsPassing = isPassing;
		}

		/// <summary>The server's code of the error (docs/errors.md); server_unreachable, too_many_posts.</summary>
		public string Code { get; private set; }

		/// <summary>Whether it may go well another time, under the same id.</summary>
		public bool IsPassing { get; private set; }

		internal TimeSpan? RetryAfter { get; set; }
	}

	/// <summary>The queue of messages to one server, and the one loop that sends them, in order and many at a time.</summary>
	internal sealed class MsgChannelPoster
	{
		private const int BatchCountMax = 500;
		private const int BatchCharactersMax = 1048576;
		private const double RetryFirstMs = 100;
		private const double RetryMsMax = 5000;

		private readonly object gate = new object();
		private readonly Queue<Waiting> queue = new Queue<Waiting>();
		private readonly ManualResetEventSlim isEmpty = new ManualResetEventSlim(true);
		private readonly Random random = new Random();
		private readonly MsgChannelSettings settings;
		private readonly Action<MsgPost, Exception> onFailed;
		private readonly HttpClient http;
		private readonly Uri endpoint;
		private int waitingCount;

		public MsgChannelPoster(MsgChannelSettings settings, Action<MsgPost, Exception> onFailed)
		{
			if (settings == null) throw new ArgumentNullException("settings");
			Uri url;
			if (!Uri.TryCreate(settings.Url, UriKind.Absolute, out url) || !url.Scheme.StartsWith("http", StringComparison.Ordinal))
			{
				throw new ArgumentException("'" + settings.Url + "' is not the url of a server, such as 'http://127.0.0.1:8787'.", "settings");
			}
			if (settings.WaitingMax < 1) throw new ArgumentException("WaitingMax needs to be 1 or more.", "settings");
			this.settings = settings;
			this.onFailed = onFailed;
			endpoint = new Uri(settings.Url.TrimEnd('/') + "/api/messages");
			http = new HttpClient { Timeout = settings.RequestTimeout };
			http.DefaultRequestHeaders.ExpectContinue = false;
			if (!string.IsNullOrEmpty(settings.ApiKey))
			{
				http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", settings.ApiKey);
			}
			AppDomain.CurrentDomain.ProcessExit += (sender, arguments) => Flush(TimeSpan.FromSeconds(5));
		}

		public Task<MsgReceipt> Enqueue(MsgPost post, bool isAwaited)
		{
			if (post == null) throw new ArgumentNullException("post");
			var waiting = new Waiting(post, PostLine.Of(post), isAwaited);
			lock (gate)
			{
				if (waitingCount >= settings.WaitingMax)
				{
					waiting.Fail(
						new MsgChannelException("too_many_posts", settings.WaitingMax + " posts wait for " + settings.Url + " already.", true, null),
						onFailed);
					return waiting.Task;
				}
				queue.Enqueue(waiting);
				isEmpty.Reset();
				if (waitingCount++ == 0) Task.Run(new Func<Task>(SendAllAsync));
			}
			return waiting.Task;
		}

		public bool Flush(TimeSpan timeout)
		{
			return isEmpty.Wait(timeout);
		}

		private async Task SendAllAsync()
		{
			for (;;)
			{
				var batch = TakeBatch();
				await SendBatchAsync(batch).ConfigureAwait(false);
				lock (gate)
				{
					waitingCount -= batch.Count;
					if (waitingCount > 0) continue;
					isEmpty.Set();
					return;
				}
			}
		}

		private List<Waiting> TakeBatch()
		{
			var batch = new List<Waiting>();
			var characters = 0;
			lock (gate)
			{
				while (queue.Count > 0 && batch.Count < BatchCountMax)
				{
					characters += queue.Peek().Line.Length;
					if (batch.Count > 0 && characters > BatchCharactersMax) break;
					batch.Add(queue.Dequeue());
				}
			}
			return batch;
		}

		private async Task SendBatchAsync(List<Waiting> batch)
		{
			MsgChannelException failure = null;
			try
			{
				var receipts = await SendWithRetryAsync(batch).ConfigureAwait(false);
				for (var index = 0; index < batch.Count; index++) batch[index].Succeed(receipts[index]);
			}
			catch (MsgChannelException error)
			{
				failure = error;
			}
			if (failure == null) return;
			if (batch.Count == 1 || failure.IsPassing)
			{
				foreach (var waiting in batch) waiting.Fail(failure, onFailed);
				return;
			}
			// The server takes all lines or none: one that is wrong must not cost the others.
			foreach (var waiting in batch) await SendBatchAsync(new List<Waiting> { waiting }).ConfigureAwait(false);
		}

		private async Task<IList<MsgReceipt>> SendWithRetryAsync(List<Waiting> batch)
		{
			var elapsed = Stopwatch.StartNew();
			for (var attempt = 0; ; attempt++)
			{
				MsgChannelException failure;
				try
				{
					return await SendAsync(batch).ConfigureAwait(false);
				}
				catch (MsgChannelException error)
				{
					failure = error;
				}
				var delayMs = Math.Min(RetryMsMax, RetryFirstMs * Math.Pow(2, Math.Min(attempt, 16))) * (0.5 + random.NextDouble() / 2);
				var delay = TimeSpan.FromMilliseconds(delayMs);
				if (failure.RetryAfter.HasValue && failure.RetryAfter.Value > delay) delay = failure.RetryAfter.Value;
				if (!failure.IsPassing || elapsed.Elapsed + delay > settings.RetryFor) throw failure;
				await Task.Delay(delay).ConfigureAwait(false);
			}
		}

		private async Task<IList<MsgReceipt>> SendAsync(List<Waiting> batch)
		{
			var lines = new StringBuilder();
			foreach (var waiting in batch) lines.Append(waiting.Line).Append('\n');
			var content = new ByteArrayContent(Encoding.UTF8.GetBytes(lines.ToString()));
			content.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
			HttpResponseMessage response;
			string text;
			try
			{
				response = await http.PostAsync(endpoint, content).ConfigureAwait(false);
				text = await response.Content.ReadAsStringAsync().ConfigureAwait(false);
			}
			catch (Exception error)
			{
				if (!(error is HttpRequestException || error is TaskCanceledException || error is IOException || error is WebException)) throw Unexpected(error);
				throw Unreachable(Innermost(error).Message + " Is the server running?", error);
			}
			using (response)
			{
				if (response.StatusCode != HttpStatusCode.Created) throw ServerAnswer.ToException(response, text, settings.Url);
				var receipts = ServerAnswer.ToReceipts(text);
				if (receipts.Count != batch.Count)
				{
					throw Unreachable("It gave " + receipts.Count + " receipts for " + batch.Count + " messages.", null);
				}
				return receipts;
			}
		}

		private MsgChannelException Unreachable(string reason, Exception cause)
		{
			return new MsgChannelException("server_unreachable", "There is no answer from " + settings.Url + ": " + reason, true, cause);
		}

		private static MsgChannelException Unexpected(Exception error)
		{
			return new MsgChannelException("internal", error.Message, false, error);
		}

		private static Exception Innermost(Exception error)
		{
			return error.InnerException == null ? error : Innermost(error.InnerException);
		}

		private sealed class Waiting
		{
			public readonly string Line;
			private readonly MsgPost post;
			private readonly bool isAwaited;
			private readonly TaskCompletionSource<MsgReceipt> outcome =
				new TaskCompletionSource<MsgReceipt>(TaskCreationOptions.RunContinuationsAsynchronously);

			public Waiting(MsgPost post, string line, bool isAwaited)
			{
				this.post = post;
				this.isAwaited = isAwaited;
				Line = line;
			}

			public Task<MsgReceipt> Task
			{
				get { return outcome.Task; }
			}

			public void Succeed(MsgReceipt receipt)
			{
				outcome.TrySetResult(receipt);
			}

			public void Fail(MsgChannelException error, Action<MsgPost, Exception> onFailed)
			{
				if (isAwaited) outcome.TrySetException(error);
				else
				{
					outcome.TrySetCanceled();
					onFailed(post, error);
				}
			}
		}
	}

	/// <summary>Reads what the server answers.</summary>
	internal static class ServerAnswer
	{
		[DataContract]
		private sealed class Problem
		{
			[DataMember(Name = "code")]
			public string Code { get; set; }

			[DataMember(Name = "detail")]
			public string Detail { get; set; }
		}

		public static IList<MsgReceipt> ToReceipts(string text)
		{
			var receipts = new List<MsgReceipt>();
			foreach (var line in text.Split(new[] { '\n' }, StringSplitOptions.RemoveEmptyEntries))
			{
				var receipt = Read<MsgReceipt>(line);
				if (receipt != null) receipts.Add(receipt);
			}
			return receipts;
		}

		/// <summary>429 and what is wrong inside the server pass; what is wrong with the message or its key stays wrong.</summary>
		public static MsgChannelException ToException(HttpResponseMessage response, string text, string url)
		{
			var status = (int)response.StatusCode;
			var isPassing = status == 408 || status == 429 || status >= 500;
			var problem = Read<Problem>(text);
			if (problem == null || problem.Code == null)
			{
				var reason = isPassing ? "." : ": no ServerChannel takes posts there. Are API keys configured?";
				problem = new Problem
				{
					Code = isPassing ? "server_unreachable" : "not_found", Detail = url + " answered with status " + status + reason
				};
			}
			var retryAfter = response.Headers.RetryAfter;
			return new MsgChannelException(problem.Code, problem.Detail ?? problem.Code, isPassing, null)
			{
				RetryAfter = retryAfter == null ? null : retryAfter.Delta
			};
		}

		private static T Read<T>(string text) where T : class
		{
			try
			{
				using (var stream = new MemoryStream(Encoding.UTF8.GetBytes(text)))
				{
					return (T)new DataContractJsonSerializer(typeof(T)).ReadObject(stream);
				}
			}
			catch (SerializationException)
			{
				return null;
			}
		}
	}

	/// <summary>Whose pages a message is for.</summary>
	internal static class UserIds
	{
		/// <param name="users">An id, a list of ids, or what has <c>CurrentUser.Id</c>.</param>
		/// <param name="initiator">Stands for the user of a user connection, where it is given.</param>
		public static IList<string> Of(object users, string initiator)
		{
			if (users == null) throw new ArgumentNullException("users", "A message to a user needs a user connection or a user's id.");
			var text = users as string;
			if (text != null) return new[] { NotEmpty(text) };
			if (users is Guid) return new[] { ((Guid)users).ToString() };
			var list = users as IEnumerable;
			if (list != null)
			{
				var ids = new List<string>();
				foreach (var each in list) ids.AddRange(Of(each, initiator));
				if (ids.Count == 0) throw new ArgumentException("The list of users is empty.", "users");
				return ids;
			}
			if (initiator != null) return new[] { initiator };
			var user = Member(users, "CurrentUser");
			var id = user == null ? null : Member(user, "Id");
			if (id == null)
			{
				throw new ArgumentException(
					"A " + users.GetType().Name + " has no CurrentUser.Id: give a user connection, a user's id, or a list of ids.", "users");
			}
			return new[] { NotEmpty(id.ToString()) };
		}

		private static string NotEmpty(string id)
		{
			if (id.Length == 0) throw new ArgumentException("A user's id is empty.", "users");
			return id;
		}

		private static object Member(object owner, string name)
		{
			var property = owner.GetType().GetProperty(name, BindingFlags.Instance | BindingFlags.Public);
			return property == null ? null : property.GetValue(owner, null);
		}
	}

	/// <summary>A message as one line of the request.</summary>
	internal static class PostLine
	{
		private const int NameLengthMax = 256;

		/// <exception cref="ArgumentException">Something in it is not what it needs to be.</exception>
		public static string Of(MsgPost post)
		{
			if (string.IsNullOrEmpty(post.Sender) || post.Sender.Length > NameLengthMax)
			{
				throw new ArgumentException("The sender's name, by which pages know a message, needs 1 to " + NameLengthMax + " characters.", "senderName");
			}
			var line = new Dictionary<string, object>();
			line["sender"] = post.Sender;
			// It stays the same however often the message is sent.
			line["id"] = string.IsNullOrEmpty(post.Id) ? Guid.NewGuid().ToString() : post.Id;
			var to = Audience(post);
			if (to.Count > 0) line["to"] = to;
			if (post.Key != null) line["key"] = post.Key;
			if (post.Interval.HasValue) line["intervalMs"] = post.Interval.Value.TotalMilliseconds;
			if (post.TimeToLive.HasValue) line["ttlMs"] = post.TimeToLive.Value.TotalMilliseconds;
			if (!string.IsNullOrEmpty(post.BodyTypeName)) line["bodyTypeName"] = post.BodyTypeName;
			line["body"] = post.Body;
			return JsonText.Of(line);
		}

		private static Dictionary<string, object> Audience(MsgPost post)
		{
			var to = new Dictionary<string, object>();
			if (post.Users != null) to["users"] = post.Users;
			if (post.Groups != null) to["groups"] = post.Groups;
			if (post.Connections != null) to["connections"] = post.Connections;
			if (to.Count == 0 && post.Except != null) to["all"] = true;
			if (post.Except != null) to["except"] = post.Except;
			return to;
		}
	}

	/// <summary>
	/// Writes JSON of any value. Names of members are their own, or those that JsonProperty, JsonPropertyName or DataMember
	/// gives; JsonIgnore and IgnoreDataMember leave one out. What Newtonsoft's JObject, JArray and JValue hold is written as it is.
	/// </summary>
	internal static class JsonText
	{
		/// <summary>The line of a message is two levels; the server takes 64 below it.</summary>
		private const int DepthMax = 66;

		public static string Of(object value)
		{
			var text = new StringBuilder();
			Write(text, value, 0);
			return text.ToString();
		}

		private static void Write(StringBuilder text, object value, int depth)
		{
			if (depth > DepthMax) throw new ArgumentException("The body nests deeper than 64 levels, or holds itself.", "body");
			if (value == null || value is DBNull) text.Append("null");
			else if (value is string) WriteText(text, (string)value);
			else if (value is bool) text.Append((bool)value ? "true" : "false");
			else if (value is char || value is Guid || value is Uri || value is Version || value is TimeSpan || value is Type) WriteText(text, value.ToString());
			else if (value is DateTime) WriteText(text, ((DateTime)value).ToString("o", CultureInfo.InvariantCulture));
			else if (value is DateTimeOffset) WriteText(text, ((DateTimeOffset)value).ToString("o", CultureInfo.InvariantCulture));
			else if (value is byte[]) WriteText(text, Convert.ToBase64String((byte[])value));
			else if (value is double || value is float) WriteFloat(text, Convert.ToDouble(value, CultureInfo.InvariantCulture), value);
			else if (value is Enum) text.Append(((Enum)value).ToString("D"));
			else if (value is IConvertible && value.GetType().IsPrimitive || value is decimal) text.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
			else if (value.GetType().Namespace == "Newtonsoft.Json.Linq") WriteLinq(text, value, depth);
			else if (value is IDictionary) WriteDictionary(text, (IDictionary)value, depth);
			else if (value is IEnumerable) WriteList(text, (IEnumerable)value, depth);
			else if (value is Exception) WriteException(text, (Exception)value);
			else if (value is Delegate || value is Stream || value is Task) throw new ArgumentException("A " + value.GetType().Name + " is nothing that JSON can hold.", "body");
			else WriteObject(text, value, depth);
		}

		private static void WriteFloat(StringBuilder text, double number, object value)
		{
			if (double.IsNaN(number) || double.IsInfinity(number)) throw new ArgumentException("JSON can't hold the number " + number + ".", "body");
			text.Append(((IFormattable)value).ToString("R", CultureInfo.InvariantCulture));
		}

		private static void WriteText(StringBuilder text, string value)
		{
			text.Append('"');
			for (var index = 0; index < value.Length; index++)
			{
				var each = value[index];
				if (char.IsHighSurrogate(each) && index + 1 < value.Length && char.IsLowSurrogate(value[index + 1]))
				{
					text.Append(each).Append(value[++index]);
				}
				// A surrogate alone has no UTF-8: written as an escape it arrives as it is.
				else if (each < ' ' || char.IsSurrogate(each)) text.Append("\\u").Append(((int)each).ToString("x4", CultureInfo.InvariantCulture));
				else if (each == '"' || each == '\\') text.Append('\\').Append(each);
				else text.Append(each);
			}
			text.Append('"');
		}

		private static void WriteLinq(StringBuilder text, object value, int depth)
		{
			if (value is IEnumerable && value.GetType().Name != "JValue") text.Append(value.ToString().Replace("\r", " ").Replace("\n", " "));
			else Write(text, value.GetType().GetProperty("Value").GetValue(value, null), depth);
		}

		private static void WriteDictionary(StringBuilder text, IDictionary values, int depth)
		{
			var members = new List<KeyValuePair<string, object>>();
			foreach (DictionaryEntry each in values)
			{
				members.Add(new KeyValuePair<string, object>(Convert.ToString(each.Key, CultureInfo.InvariantCulture), each.Value));
			}
			WriteMembers(text, members, depth);
		}

		private static void WriteList(StringBuilder text, IEnumerable values, int depth)
		{
			text.Append('[');
			var isFirst = true;
			foreach (var each in values)
			{
				if (!isFirst) text.Append(',');
				isFirst = false;
				Write(text, each, depth + 1);
			}
			text.Append(']');
		}

		private static void WriteException(StringBuilder text, Exception error)
		{
			WriteMembers(text, new List<KeyValuePair<string, object>>
			{
				new KeyValuePair<string, object>("ClassName", error.GetType().FullName),
				new KeyValuePair<string, object>("Message", error.Message)
			}, 0);
		}

		private static void WriteObject(StringBuilder text, object value, int depth)
		{
			var members = new List<KeyValuePair<string, object>>();
			foreach (var property in value.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public))
			{
				if (!property.CanRead || property.GetIndexParameters().Length > 0) continue;
				var name = NameOf(property);
				if (name != null) members.Add(new KeyValuePair<string, object>(name, property.GetValue(value, null)));
			}
			foreach (var field in value.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public))
			{
				var name = NameOf(field);
				if (name != null) members.Add(new KeyValuePair<string, object>(name, field.GetValue(value)));
			}
			WriteMembers(text, members, depth);
		}

		/// <summary>Attributes are known by their names, so that no package is needed. Null: the member is left out.</summary>
		private static string NameOf(MemberInfo member)
		{
			foreach (var attribute in member.GetCustomAttributes(true))
			{
				var type = attribute.GetType();
				if (type.Name == "JsonIgnoreAttribute" || type.Name == "IgnoreDataMemberAttribute") return null;
				var source = type.Name == "JsonPropertyAttribute" ? "PropertyName"
					: type.Name == "JsonPropertyNameAttribute" || type.Name == "DataMemberAttribute" ? "Name" : null;
				if (source == null) continue;
				var name = type.GetProperty(source).GetValue(attribute, null) as string;
				if (!string.IsNullOrEmpty(name)) return name;
			}
			return member.Name;
		}

		private static void WriteMembers(StringBuilder text, List<KeyValuePair<string, object>> members, int depth)
		{
			text.Append('{');
			for (var index = 0; index < members.Count; index++)
			{
				if (index > 0) text.Append(',');
				WriteText(text, members[index].Key);
				text.Append(':');
				Write(text, members[index].Value, depth + 1);
			}
			text.Append('}');
		}
	}
}
