// Starts GraphiQL on the API of this server. Subscriptions use WebSockets, whose
// connection_init has what the tab "Headers" holds.
const url = location.origin + '/graphql';
ReactDOM.createRoot(document.getElementById('graphiql')).render(React.createElement(GraphiQL, {
  fetcher: GraphiQL.createFetcher({ url, subscriptionUrl: url.replace(/^http/, 'ws') }),
  shouldPersistHeaders: false,
  defaultQuery: `# The API of this server. With the sign-in URL that the server printed, you are
# an admin of every organization. To act as another caller, write into the tab
# "Headers": {"Authorization": "Bearer phk_…"}

{
  viewer { name }
  organizations(first: 3) {
    nodes { id name webhooks(first: 5) { nodes { id name targetUrl status } } }
  }
}
`,
}));
