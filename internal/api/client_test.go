package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/pscemutest"
)

func open(t *testing.T) *api.ClientWithResponses {
	t.Helper()
	e := pscemutest.Start(t)
	c, err := api.Open(e.APIURL, e.APIToken, "pscemu test", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The client that is made from the document does what the operations do.
func TestTheClientReadsAndWrites(t *testing.T) {
	c, ctx := open(t), context.Background()
	const id = "899790019999"
	made, err := c.CreateIdentityWithResponse(ctx, api.PersonInput{NationalId: id, FamilyName: "MARTIN",
		GivenName: "Claire", AllowInvalid: "a test"})
	if err := api.Refused(
		made,
		err,
	); err != nil || made.JSON201.Name != "MARTIN Claire" && made.JSON201.Name != "Claire MARTIN" {
		t.Fatal(err, made.JSON201)
	}
	code := "1234"
	if phone, err := c.ActivatePhoneWithResponse(ctx, id, api.ActivationRequest{
		Code: code,
	}); api.Refused(phone, err) != nil {
		t.Fatal(api.Refused(phone, err))
	}
	found, err := c.ListIdentitiesWithResponse(ctx, &api.ListIdentitiesParams{Q: "MARTIN", Limit: 5})
	if err := api.Refused(found, err); err != nil || len(found.JSON200.Items) != 1 ||
		len(found.JSON200.Items[0].Means) != 1 {
		t.Fatal(err, found.JSON200)
	}
	frozen := true
	if at, err := c.SetClockWithResponse(ctx, api.ClockChange{
		Frozen: &frozen,
	}); api.Refused(at, err) != nil || !at.JSON200.Frozen {
		t.Fatal(api.Refused(at, err), at.JSON200)
	}
	if gone, err := c.DeleteIdentityWithResponse(ctx, id); api.Refused(gone, err) != nil {
		t.Fatal(api.Refused(gone, err))
	}
}

// A refusal keeps its code, its kind and its remedy on the way.
func TestTheClientTellsARefusal(t *testing.T) {
	c := open(t)
	answer, err := c.GetCardWithResponse(context.Background(), "8/nobody's")
	refused := api.Refused(answer, err)
	if !problem.Is(refused, "card-unknown") || problem.From(refused).Kind != problem.NotFound {
		t.Errorf("%v", refused)
	}
	if err := api.ErrorOf(http.StatusBadGateway, []byte("<html>")); err == nil || problem.From(err).Code != "internal" {
		t.Errorf("a proxy's page: %v", err)
	}
}

// What is long goes through as it comes.
func TestTheClientStreams(t *testing.T) {
	c, ctx := open(t), context.Background()
	got, err := c.GetState(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	state, err := io.ReadAll(got.Body)
	if err != nil || len(state) < 1000 {
		t.Fatal(err, len(state))
	}
	back, err := c.PutStateWithBody(ctx, "application/json", bytes.NewReader(state))
	if err != nil {
		t.Fatal(err)
	}
	defer back.Body.Close()
	if back.StatusCode != http.StatusNoContent {
		t.Error(back.Status)
	}
}
