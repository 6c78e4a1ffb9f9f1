// What every client is put through: see tests/e2e/sdk.rs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"jeton.example/go/jeton"
	"jeton.example/go/jeton/api"
)

var ctx = context.Background()

// must gives the value of what cannot fail here.
func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func assert(holds bool, seen ...any) {
	if !holds {
		panic(fmt.Sprintf("seen: %+v", seen))
	}
}

func problemOf(err error) *jeton.Problem {
	var problem *jeton.Problem
	assert(errors.As(err, &problem), err)
	return problem
}

func requestFor(user string, attributes map[string]any) api.IssueSessionTokenRequest {
	who := api.NewTokenUser(user, []string{"analyst"})
	who.Attributes = map[string]any{"tenant_id": "t-1"}
	for name, value := range attributes {
		who.Attributes[name] = value
	}
	return *api.NewIssueSessionTokenRequest(*who)
}

var project = map[string]any{"project": "p-1"}

func makesAKey(owner *jeton.Client, limit *api.KeyRateLimit) string {
	request := api.NewCreateApiKeyRequest("sdk", []api.GivenPermission{api.GIVENPERMISSION_WRITE})
	request.RateLimit = limit
	created := must(jeton.Do(owner.APIKeysAPI.CreateApiKey(ctx).CreateApiKeyRequest(*request).Execute()))
	assert(created.Secret[:len(created.ApiKey.Prefix)] == created.ApiKey.Prefix)
	return created.Secret
}

func declaresAPolicy(client *jeton.Client) {
	wanted := api.NewAttribute("project", api.VALUETYPE_STRING)
	attribute := must(jeton.Do(client.PolicyAPI.CreateAttribute(ctx).Attribute(*wanted).Execute()))
	assert(attribute.Name == "project" && attribute.Type == api.VALUETYPE_STRING)
	role := api.NewRole("analyst")
	role.Permissions = []api.RolePermission{*api.NewRolePermission("report", "view")}
	role.RequiredAttributes = []string{"project"}
	made := must(jeton.Do(client.PolicyAPI.CreateRole(ctx).Role(*role).Execute()))
	assert(len(made.RequiredAttributes) == 1)
}

func issuesAndRevokes(client *jeton.Client) string {
	request := requestFor("user-7", project)
	issued := must(jeton.Do(client.SessionTokensAPI.IssueSessionToken(ctx).IssueSessionTokenRequest(request).Execute()))
	active := must(jeton.Do(client.OAuthAPI.IntrospectToken(ctx).Token(issued.Token).Execute()))
	assert(active.Active && active.GetSub() == "user-7" && active.Roles[0] == "analyst", active)
	sessions := must(jeton.Do(client.SessionsAPI.ListSessions(ctx).Subject("user-7").Execute())).Data
	assert(len(sessions) == 1)
	session := sessions[0]
	assert(session.Id == issued.SessionId && session.ExpiresAt.Equal(issued.ExpiresAt))
	assert(session.Attributes["project"] == "p-1")
	check(jeton.Done(client.SessionsAPI.DeleteSession(ctx, session.Id).Execute()))
	active = must(jeton.Do(client.OAuthAPI.IntrospectToken(ctx).Token(issued.Token).Execute()))
	assert(!active.Active)
	return issued.SessionId
}

func seesWhatIsWrong(client *jeton.Client) {
	request := requestFor("user-7", map[string]any{"unknown": "x"})
	_, err := jeton.Do(client.SessionTokensAPI.IssueSessionToken(ctx).IssueSessionTokenRequest(request).Execute())
	problem := problemOf(err)
	assert(problem.Status == 422 && problem.RequestID != "" && !problem.Retriable(), problem)
	found := map[string]string{}
	for _, field := range problem.Errors {
		assert(field.Detail != "")
		found[field.Pointer] = field.Code
	}
	assert(found["/user/attributes/project"] == "missing_attribute", found)
	assert(found["/user/attributes/unknown"] == "undeclared_attribute", found)
}

func isNotLetIn(url string) {
	nobody := must(jeton.New(url, "jtn_nobody"))
	_, account := jeton.Do(nobody.AccountAPI.GetAccount(ctx).Execute())
	_, introspection := jeton.Do(nobody.OAuthAPI.IntrospectToken(ctx).Token("x").Execute())
	for code, err := range map[string]error{"invalid_api_key": account, "invalid_client": introspection} {
		problem := problemOf(err)
		assert(problem.Status == 401 && problem.Code == code, problem)
		assert(problem.Detail != "" && problem.RequestID != "" && len(problem.Errors) == 0, problem)
	}
}

func isLimitedAndRecovers(url, key string) {
	once := jeton.DefaultRetry()
	once.Attempts = 1
	hasty := must(jeton.New(url, key, jeton.Options{Retry: &once}))
	var err error
	for range 100 {
		if _, err = jeton.Do(hasty.AccountAPI.GetAccount(ctx).Execute()); err != nil {
			break
		}
	}
	refused := problemOf(err)
	assert(refused.Status == 429 && refused.Code == "rate_limited" && refused.Retriable(), refused)
	assert(refused.RetryAfter >= time.Second, refused)

	var waits []time.Duration
	retry := jeton.DefaultRetry()
	retry.Sleep = func(_ context.Context, wait time.Duration) error {
		waits = append(waits, wait)
		time.Sleep(wait)
		return nil
	}
	patient := must(jeton.New(url, key, jeton.Options{Retry: &retry}))
	for len(waits) == 0 {
		account := must(jeton.Do(patient.AccountAPI.GetAccount(ctx).Execute()))
		assert(len(account.ApiKey.Permissions) > 0)
	}
	assert(waits[0] >= time.Second, waits)
}

func keepsTokens(client *jeton.Client) []string {
	now := time.Now()
	tokens := jeton.NewTokenCache(client)
	tokens.Now = func() time.Time { return now }
	request := requestFor("user-8", project)
	var issued [8]*api.SessionToken
	var all sync.WaitGroup
	for at := range issued {
		all.Add(1)
		go func() {
			defer all.Done()
			issued[at] = must(tokens.Token(ctx, requestFor("user-8", project)))
		}()
	}
	all.Wait()
	first := issued[0]
	for _, other := range issued {
		assert(other == first)
	}
	assert(first.RefreshIn < first.ExpiresIn)
	now = now.Add(time.Duration(first.RefreshIn) * time.Second)
	renewed := must(tokens.Token(ctx, request))
	assert(renewed.Token != first.Token && must(tokens.Token(ctx, request)) == renewed)
	sessions := must(jeton.Do(client.SessionsAPI.ListSessions(ctx).Subject("user-8").Execute())).Data
	assert(len(sessions) == 2 && sessions[0].Id == renewed.SessionId && sessions[1].Id == first.SessionId, sessions)
	_, err := tokens.Token(ctx, requestFor("user-8", nil))
	assert(problemOf(err).Status == 422)
	return []string{first.SessionId, renewed.SessionId}
}

func main() {
	url := os.Getenv("JETON_URL")
	owner := must(jeton.New(url, os.Getenv("JETON_API_KEY")))
	limited := makesAKey(owner, api.NewKeyRateLimit(60, 1))
	client := must(jeton.New(url, makesAKey(owner, nil)))
	declaresAPolicy(client)
	sessions := []string{issuesAndRevokes(client)}
	seesWhatIsWrong(client)
	isNotLetIn(url)
	isLimitedAndRecovers(url, limited)
	sessions = append(sessions, keepsTokens(client)...)
	check(json.NewEncoder(os.Stdout).Encode(sessions))
}
